"""Atheris's target: the invariants of tests/fuzz/accounting.py. `python -m tests.fuzz.target_accounting [CORPUS]`.

The first octet chooses: a packet as it is, attributes under an authenticator that fits, or a body of rlm_rest's.
"""

from __future__ import annotations

import sys


def one_input(data: bytes) -> None:
    """Raise if the octets break an invariant."""
    from tests.fuzz.accounting import check_packet, check_post, signed  # once instrumented, below

    kind, rest = data[:1], data[1:]
    if kind == b"p":
        check_packet(rest)
    elif kind == b"j":
        check_post(rest)
    else:
        check_packet(signed(rest[:4076]))


def main() -> None:
    """Fuzz until told to stop by libFuzzer's options."""
    import atheris  # has no wheel for every Python: only where it is installed

    with atheris.instrument_imports(include=["op25b.subscribers.accounting", "op25b.subscribers.leases.facts"]):
        import tests.fuzz.accounting  # noqa: F401
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
