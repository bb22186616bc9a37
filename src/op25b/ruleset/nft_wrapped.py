"""Ways round a port test that a packet filter can still close, in nftables: plain tunnels, and hidden TCP headers.

All of it is for packets from covered sources alone, later fragments excepted. 6in4 (RFC 4213), IP in IP (RFC 2003,
RFC 2473) and GRE (RFC 2784, RFC 2890) without encryption carry the inner header in the clear, at a place that can be
computed.
A first IPv6 fragment must hold the whole header chain (RFC 7112); one from a covered source that does not, or that
is TCP and ends before its port, is dropped, and without it the packet can never be put together.
"""

from __future__ import annotations

from collections.abc import Callable

from op25b.policy.model import Filter, Refuse

Add = Callable[[str, list[str]], str]

# GRE: which of checksum, key and sequence number are there decides how long its header is; version 1 is PPTP's, and
# what its receiver has to ignore (RFC 2784 2.3) is masked
_GRE_MASK = 0xB007
_GRE_LENGTHS = {4: (0x0000,), 8: (0x8000, 0x2000, 0x1000), 12: (0xA000, 0x9000, 0x3000), 16: (0xB000,)}
_TCP, _HOP, _ROUTING, _FRAGMENT, _DESTINATION = 6, 0, 43, 44, 60


def _th(byte: int, bits: int, bit: int = 0) -> str:
    return f"@th,{8 * byte + bit},{bits}"


def _inner4(at: int, refuse: str) -> list[str]:
    """An IPv4 packet `at` bytes into the tunnel's payload: TCP to 25, or TCP behind options, where no test sees it."""
    tcp = f"{_th(at, 4)} 4 {_th(at + 9, 8)} {_TCP} {_th(at + 6, 13, 3)} 0"
    return [
        f"{tcp} {_th(at, 8)} 0x45 {_th(at + 22, 16)} 25 {refuse}",
        f"{tcp} {_th(at, 8)} != 0x45 {refuse}",
    ]


def _inner6(at: int, refuse: str) -> list[str]:
    """An IPv6 packet: TCP to 25 at once or behind a fragment header, or a header chain that hides the port."""
    six, following = f"{_th(at, 4)} 6", _th(at + 6, 8)
    first_fragment = f"{six} {following} {_FRAGMENT} {_th(at + 42, 13)} 0"
    hiding = f"{{ {_HOP}, {_ROUTING}, {_DESTINATION} }}"
    return [
        f"{six} {following} {_TCP} {_th(at + 42, 16)} 25 {refuse}",
        f"{first_fragment} {_th(at + 40, 8)} {_TCP} {_th(at + 50, 16)} 25 {refuse}",
        f"{first_fragment} {_th(at + 40, 8)} {hiding} {refuse}",
        f"{six} {following} {hiding} {refuse}",
    ]


def _tunnel_chains(add: Add, refuse: str) -> str:
    """The chain that sorts tunnels by kind and by where the inner packet begins; returns its map of verdicts."""
    starts = (0, *_GRE_LENGTHS)
    four = {at: add(f"wrapped_ip4-at-{at}", _inner4(at, refuse)) for at in starts}
    six = {at: add(f"wrapped_ip6-at-{at}", _inner6(at, refuse)) for at in starts}
    gre = [
        f"{_th(0, 16)} & {_GRE_MASK:#x} {{ {', '.join(map(hex, flags))} }} {_th(2, 16)} vmap "
        f"{{ 0x0800 : goto {four[length]}, 0x86dd : goto {six[length]} }}"
        for length, flags in _GRE_LENGTHS.items()
    ]
    return f"meta l4proto vmap {{ 4 : goto {four[0]}, 41 : goto {six[0]}, 47 : goto {add('wrapped_gre', gre)} }}"


def _fragment_rules(refuse: str) -> list[str]:
    return [
        "exthdr frag exists meta l4proto != tcp accept",
        # what is left: a first fragment that is TCP without a port, or whose chain of headers is cut
        f"exthdr frag exists {refuse}",
    ]


def wrapped_chains(add: Add, wanted: Filter, allowed: str | None) -> str | None:
    """Write the chains for what is not readable as TCP, as asked; the chain's name, None when nothing is asked.

    `allowed` is the chain that accepts what is exempt all the same. A tunnelled packet cannot be answered with a
    TCP reset, so there the answer is ICMP unless silence is asked for. The kernel sends it for GRE alone: a packet of
    protocol 4 or 41 it checks for a checksum that such packets do not have (nf_reject_verify_csum), and drops it.
    """

    def refused(kind: str, answer: str) -> str:
        exempt = [f"jump {allowed}"] if allowed else []
        return f"goto {add(f'hidden_{kind}', [*exempt, f'counter name hidden/{kind} {answer}'])}"

    rules = []
    if wanted.tunnels == "block":
        answer = "drop" if wanted.refuse is Refuse.DROP else "reject with icmpx admin-prohibited"
        rules.append(_tunnel_chains(add, refused("tunnels", answer)))
    if wanted.fragments == "block":
        rules += _fragment_rules(refused("fragments", "drop"))
    return add("wrapped", rules) if rules else None
