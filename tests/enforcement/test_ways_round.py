"""Ways round a port test, tried with real packets: extension headers, fragments, plain tunnels, open sessions."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from op25b.policy.model import Policy
from op25b.ruleset.lower import lower
from op25b.ruleset.nftables import render
from tests.support import wire
from tests.support.trio import A4, EDGE4, EDGE_MAC, Trio

pytestmark = pytest.mark.root
Addr = IPv4Address | IPv6Address
Make = Callable[[Addr, Addr, int], bytes]
"""Source, destination and number to a packet."""

COVERED = {4: ip_address("198.18.0.9"), 6: ip_address("2001:db8::9")}
MONITORED = {4: ip_address("198.18.1.9"), 6: ip_address("2001:db8:1::9")}
EXEMPT = {4: ip_address("198.18.0.200"), 6: ip_address("2001:db8::200")}
UNCOVERED = {4: ip_address("203.0.113.9"), 6: ip_address("2001:db9::9")}
FAR = {4: ip_address("192.0.2.25"), 6: ip_address("2001:dba::25")}
INNER = {4: (ip_address("10.9.8.7"), ip_address("192.0.2.26")), 6: (ip_address("fd00::7"), ip_address("2001:dba::26"))}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MORE = 0x2000


def policy(**wanted: str) -> Policy:
    return Policy.model_validate(
        {
            "provider": {"name": "ways", "display": {"ja": "道", "en": "Ways"}, "time_zone": "UTC"},
            "own_servers": [{"name": "mail", "hosts": ["m.example"], "addresses": ["192.0.2.2"], "ports": [587]}],
            "pools": [
                {"name": "covered", "prefixes": ["198.18.0.0/24", "2001:db8::/48", f"{A4}/32"]},
                {"name": "counted", "prefixes": ["198.18.1.0/24", "2001:db8:1::/48"]},
            ],
            "phases": [
                {"name": "on", "scope": {"pools": ["covered"]}, "mode": "enforce"},
                {"name": "count", "scope": {"pools": ["counted"]}, "mode": "monitor"},
            ],
            "exemptions": [{"name": "company", "prefixes": [str(EXEMPT[4]), str(EXEMPT[6])], "reason": "own server"}],
            "filter": wanted,
        }
    )


@pytest.fixture(scope="module")
def trio() -> Iterator[Trio]:
    with Trio() as found:
        yield found


def load(trio: Trio, **wanted: str) -> None:
    trio.load(render(lower(policy(**wanted), NOW)))


def fate(trio: Trio, make: Make, version: int, sources: dict[int, Addr]) -> set[str]:
    number = trio.number()
    return trio.send([make(sources[version], FAR[version], number)]).get(number, set())


# Makers of packets.


def plain(dport: int, **more: bytes) -> Make:
    return lambda src, dst, number: wire.ip(src, dst, wire.TCP, wire.tcp(src, dst, number, dport, **more))


def extended(dport: int, *chain: tuple[int, bytes]) -> Make:
    return lambda src, dst, number: wire.extended(src, dst, list(chain), wire.TCP, wire.tcp(src, dst, number, dport))


def fragment6(payload: Callable[[Addr, Addr, int], bytes], proto: int, offset: int = 0, more: bool = True) -> Make:
    return lambda src, dst, number: wire.extended(
        src, dst, [wire.fragment(offset, more, number)], proto, payload(src, dst, number)
    )


def fragment4(payload: Callable[[Addr, Addr, int], bytes], proto: int, flags: int) -> Make:
    return lambda src, dst, number: wire.ip(src, dst, proto, payload(src, dst, number), fragment=flags, number=number)


def segment(dport: int, length: int = 24) -> Callable[[Addr, Addr, int], bytes]:
    return lambda src, dst, number: (wire.tcp(src, dst, number, dport, data=bytes(40)))[:length]


def inner_tcp(version: int, dport: int, **more: bytes) -> Callable[[int], bytes]:
    src, dst = INNER[version]
    return lambda number: wire.ip(src, dst, wire.TCP, wire.tcp(src, dst, number, dport), **more)


def inner_chain(dport: int, *chain: tuple[int, bytes]) -> Callable[[int], bytes]:
    src, dst = INNER[6]
    return lambda number: wire.extended(src, dst, list(chain), wire.TCP, wire.tcp(src, dst, number, dport))


def inner_first_fragment(dport: int) -> Callable[[int], bytes]:
    src, dst = INNER[6]
    return lambda number: wire.extended(
        src, dst, [wire.fragment(0, True, number)], wire.TCP, wire.tcp(src, dst, number, dport, data=bytes(4))
    )


def tunnel(proto: int, inner: Callable[[int], bytes], head: bytes = b"") -> Make:
    return lambda src, dst, number: wire.ip(src, dst, proto, head + inner(number))


def gre(flags: int, ethertype: int, inner: Callable[[int], bytes]) -> Make:
    options = sum(bool(flags & bit) for bit in (0x8000, 0x2000, 0x1000))
    return tunnel(wire.GRE, inner, struct.pack("!HH", flags, ethertype) + bytes(4 * options))


def any_bytes(number: int) -> bytes:
    return bytes(28) + struct.pack("!I", number)


HOP, DEST = (wire.HOP, wire.OPTIONS), (wire.DESTINATION, wire.OPTIONS)
ROUTE = (wire.ROUTING, wire.SEGMENTS_LEFT_0)
GRE_FLAGS = (0x0000, 0x8000, 0x2000, 0x1000, 0xA000, 0x9000, 0x3000, 0xB000)

READABLE = {
    "plain": (plain, ()),
    "fast open with data": (lambda port: plain(port, options=wire.FAST_OPEN, data=b"EHLO bot\r\n"), ()),
    "hop-by-hop": (extended, (HOP,)),
    "destination options": (extended, (DEST,)),
    "routing header": (extended, (ROUTE,)),
    "all of them": (extended, (HOP, DEST, ROUTE, DEST)),
    "eight destination options": (extended, (DEST,) * 8),
}


@pytest.mark.parametrize(
    ("way", "version"),
    [(way, version) for way, (_, chain) in READABLE.items() for version in ((6,) if chain else (4, 6))],
)
def test_headers_before_tcp_hide_nothing(trio: Trio, way: str, version: int) -> None:
    make, chain = READABLE[way]
    load(trio)
    assert fate(trio, make(25, *chain), version, COVERED) == {"reset"}
    assert fate(trio, make(443, *chain), version, COVERED) == {"arrived"}
    assert fate(trio, make(25, *chain), version, UNCOVERED) == {"arrived"}
    assert fate(trio, make(25, *chain), version, EXEMPT) == {"arrived"}
    assert fate(trio, make(25, *chain), version, MONITORED) == {"arrived"}


def test_ipv4_options_hide_nothing(trio: Trio) -> None:
    load(trio)

    def make(dport: int) -> Make:
        return lambda src, dst, number: wire.ip(
            src, dst, wire.TCP, wire.tcp(src, dst, number, dport), options=bytes((1, 1, 1, 0))
        )

    assert fate(trio, make(25), 4, COVERED) == {"reset"}
    assert fate(trio, make(443), 4, COVERED) == {"arrived"}


def test_one_vlan_tag_hides_nothing(trio: Trio) -> None:
    load(trio)
    try:
        trio.edge.run("ip", "link", "add", "link", "a0", "name", "a0.5", "address", EDGE_MAC, "type", "vlan", "id", "5")
    except AssertionError as error:
        pytest.skip(f"this kernel has no VLAN devices: {error}")
    try:
        trio.edge.run("ip", "link", "set", "a0.5", "up")
        trio.edge.run("sysctl", "-qw", "net/ipv4/conf/a0.5/rp_filter=0")
        trio.edge.run("ip", "rule", "add", "iif", "a0.5", "lookup", "100")

        def tagged(dport: int) -> Make:
            return lambda *ends: b"\x81\x00\x00\x05\x08\x00" + plain(dport)(*ends)

        assert fate(trio, tagged(25), 4, COVERED) == {"reset"}
        assert fate(trio, tagged(443), 4, COVERED) == {"arrived"}
    finally:
        trio.edge.run("ip", "link", "del", "a0.5")


FRAGMENTS_REFUSED = {
    "the ports are in the second one": fragment6(lambda *_: wire.OPTIONS[:1] * 0, wire.TCP),
    "options only": fragment6(lambda *_: bytes((wire.TCP,)) + wire.OPTIONS, wire.DESTINATION),
    "options cut short": fragment6(lambda *_: bytes((wire.TCP, 9, 1, 4, 0, 0, 0, 0)), wire.DESTINATION),
}
FRAGMENTS_PASSED = {
    "first one of TCP to 443": fragment6(segment(443), wire.TCP),
    "last one of TCP": fragment6(segment(25), wire.TCP, offset=8, more=False),
    "middle one of TCP": fragment6(segment(25), wire.TCP, offset=8),
    "last one of options": fragment6(segment(25), wire.DESTINATION, offset=8, more=False),
    "first one of UDP": fragment6(lambda s, d, n: wire.udp(s, d, n, 53, data=bytes(20)), wire.UDP),
    "last one of UDP": fragment6(lambda *_: bytes(16), wire.UDP, offset=16, more=False),
    "first one of ICMPv6": fragment6(lambda *_: bytes((128, 0)) + bytes(14), wire.ICMP6),
    "first one of SCTP": fragment6(lambda *_: bytes(16), 132),
    "first one of ESP": fragment6(lambda *_: bytes(16), 50),
    "first one of OSPF": fragment6(lambda *_: bytes(16), 89),
    "first one of L2TP": fragment6(lambda *_: bytes(16), 115),
    "last one of GRE": fragment6(
        lambda s, d, n: bytes((0, 0, 8, 0)) + inner_tcp(4, 25)(n), wire.GRE, offset=8, more=False
    ),
    "no next header": fragment6(lambda *_: bytes(16), 59),
}


@pytest.mark.parametrize("what", FRAGMENTS_REFUSED)
def test_first_fragment_without_its_ports_is_dropped(trio: Trio, what: str) -> None:
    make = FRAGMENTS_REFUSED[what]
    load(trio)
    assert fate(trio, make, 6, COVERED) == set()
    assert fate(trio, make, 6, UNCOVERED) == {"arrived"}
    assert fate(trio, make, 6, MONITORED) == {"arrived"}
    assert fate(trio, make, 6, EXEMPT) == {"arrived"}
    load(trio, fragments="leave")
    assert fate(trio, make, 6, COVERED) == {"arrived"}


@pytest.mark.parametrize("what", FRAGMENTS_PASSED)
def test_other_fragments_pass(trio: Trio, what: str) -> None:
    load(trio)
    assert fate(trio, FRAGMENTS_PASSED[what], 6, COVERED) == {"arrived"}


@pytest.mark.parametrize("fragments", ["block", "leave"])
def test_first_fragment_with_its_ports_is_judged_by_them(trio: Trio, fragments: str) -> None:
    load(trio, fragments=fragments)
    assert "arrived" not in fate(trio, fragment6(segment(25), wire.TCP), 6, COVERED)
    assert "arrived" not in fate(trio, fragment4(segment(25), wire.TCP, MORE), 4, COVERED)
    assert fate(trio, fragment4(segment(443), wire.TCP, MORE), 4, COVERED) == {"arrived"}
    assert fate(trio, fragment4(segment(25), wire.TCP, 3), 4, COVERED) == {"arrived"}
    assert fate(trio, fragment4(lambda s, d, n: wire.udp(s, d, n, 25), wire.UDP, MORE), 4, COVERED) == {"arrived"}
    assert fate(trio, fragment6(segment(25), wire.TCP), 6, UNCOVERED) == {"arrived"}
    # the one fragment of a whole packet
    assert "arrived" not in fate(trio, fragment6(segment(25, 60), wire.TCP, more=False), 6, COVERED)
    assert fate(trio, fragment6(segment(443, 60), wire.TCP, more=False), 6, COVERED) == {"arrived"}


TUNNELS: dict[str, tuple[int, Callable[[int], Make]]] = {
    "IPv4 in IPv4": (4, lambda port: tunnel(wire.IPIP, inner_tcp(4, port))),
    "IPv4 in IPv6": (6, lambda port: tunnel(wire.IPIP, inner_tcp(4, port))),
    "6in4": (4, lambda port: tunnel(wire.SIX, inner_tcp(6, port))),
    "IPv6 in IPv6": (6, lambda port: tunnel(wire.SIX, inner_tcp(6, port))),
    "6in4, first fragment": (4, lambda port: tunnel(wire.SIX, inner_first_fragment(port))),
} | {
    f"GRE {flags:#06x} IPv{inner} in IPv{outer}": (
        outer,
        lambda port, flags=flags, inner=inner: gre(flags, {4: 0x0800, 6: 0x86DD}[inner], inner_tcp(inner, port)),
    )
    # bits 6 to 12 are to be ignored by who receives them (RFC 2784 2.3)
    for flags in (*GRE_FLAGS, 0x0100, 0x2080)
    for inner in (4, 6)
    for outer in (4, 6)
}
HIDING = {
    "IPv4 in IPv4 with options": tunnel(wire.IPIP, inner_tcp(4, 25, options=bytes((1, 1, 1, 0)))),
    "6in4 with hop-by-hop": tunnel(wire.SIX, inner_chain(25, HOP)),
    "6in4 with destination options": tunnel(wire.SIX, inner_chain(25, DEST)),
    "6in4 with a routing header": tunnel(wire.SIX, inner_chain(25, ROUTE)),
}
UNTOUCHED = {
    "a later fragment of GRE with data that looks like it": fragment4(
        lambda s, d, n: bytes((0, 0, 8, 0)) + inner_tcp(4, 25)(n), wire.GRE, 3
    ),
    "PPTP": gre(0x3001, 0x880B, any_bytes),
    "PPTP with data that looks like it": gre(
        0x2001, 0x880B, lambda number: inner_tcp(4, 25)(number) + any_bytes(number)
    ),
    "GRE of another protocol": gre(0x0000, 0x6559, any_bytes),
    "IPv4 in IPv4, UDP": tunnel(
        wire.IPIP, lambda number: wire.ip(*INNER[4], wire.UDP, wire.udp(*INNER[4], number, 25))
    ),
    "IPv4 in IPv4, a later fragment": tunnel(
        wire.IPIP,
        lambda number: wire.ip(*INNER[4], wire.TCP, wire.tcp(*INNER[4], number, 25), fragment=3, number=number),
    ),
}


@pytest.mark.parametrize("what", TUNNELS)
def test_tunnel_with_smtp_in_it_is_refused(trio: Trio, what: str) -> None:
    version, make = TUNNELS[what]
    load(trio)
    # the kernel answers no packet of these protocols: it takes them for such as have a checksum, and finds it wrong
    silent = "GRE" not in what
    assert fate(trio, make(25), version, COVERED) == (set() if silent else {"icmp"})
    assert fate(trio, make(443), version, COVERED) == {"arrived"}
    for sources in (UNCOVERED, MONITORED, EXEMPT):
        assert fate(trio, make(25), version, sources) == {"arrived"}
    load(trio, refuse="drop")
    assert fate(trio, make(25), version, COVERED) == set()
    load(trio, tunnels="leave")
    assert fate(trio, make(25), version, COVERED) == {"arrived"}


@pytest.mark.parametrize("what", HIDING)
def test_tunnel_that_hides_a_port_is_refused(trio: Trio, what: str) -> None:
    load(trio)
    assert fate(trio, HIDING[what], 4, COVERED) == set()
    assert fate(trio, HIDING[what], 4, UNCOVERED) == {"arrived"}


@pytest.mark.parametrize("what", UNTOUCHED)
def test_other_tunnels_pass(trio: Trio, what: str) -> None:
    load(trio)
    assert fate(trio, UNTOUCHED[what], 4, COVERED) == {"arrived"}


@pytest.mark.parametrize("refuse", ["tcp-reset", "icmp"])
def test_open_session_ends_when_the_block_begins(trio: Trio, refuse: str) -> None:
    trio.nft("flush", "ruleset")
    with ExitStack() as stack:
        server = stack.enter_context(_session_hosts(trio))
        client = stack.enter_context(trio.a.inside(lambda: socket.create_connection(("100.64.0.6", 25), 5)))
        accepted = stack.enter_context(server.accept()[0])
        client.sendall(b"EHLO\r\n")
        assert accepted.recv(100) == b"EHLO\r\n"
        load(trio, refuse=refuse)
        client.sendall(b"MAIL FROM:<>\r\n")
        started = time.monotonic()
        with pytest.raises(ConnectionResetError):
            client.recv(100)
        assert time.monotonic() - started < 3
        accepted.settimeout(0.2)
        with pytest.raises(TimeoutError):
            accepted.recv(100)


def _session_hosts(trio: Trio) -> socket.socket:
    """Give A and B addresses, and the edge's as their router; a server on port 25 at B."""
    for host, address, router in ((trio.a, A4, EDGE4), (trio.b, "100.64.0.6", "100.64.0.5")):
        host.run("ip", "addr", "replace", f"{address}/30", "dev", "eth0")
        host.run("ip", "route", "replace", "default", "via", router)
    return trio.b.inside(lambda: socket.create_server(("100.64.0.6", 25)))
