"""Atheris's target: the same invariants under coverage-guided input. `python -m tests.fuzz.target_protocol [CORPUS]`.

The first octet chooses the settings, the second the step of the split; 0xFE ends a group.
"""

from __future__ import annotations

import sys


def one_input(data: bytes) -> None:
    """Raise if the octets break an invariant."""
    from tests.fuzz.protocol import SETTINGS, check_splits  # once instrumented, below

    if len(data) > 2:
        settings = SETTINGS[data[0] % len(SETTINGS)]
        check_splits(settings, bool(data[0] & 0x80), data[2:].split(b"\xfe"), (1, data[1] % 40 + 2))


def main() -> None:
    """Fuzz until told to stop by libFuzzer's options."""
    import atheris  # has no wheel for every Python: only where it is installed

    with atheris.instrument_imports(include=["op25b.submission.protocol"]):
        import tests.fuzz.protocol  # noqa: F401
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
