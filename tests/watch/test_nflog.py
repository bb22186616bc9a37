"""NFLOG records as columns: the grid gives what reading one record after the other would, whatever comes."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given
from hypothesis import strategies as st

from op25b.watch.activity import address, prefix_of, source_of
from op25b.watch.nflog import Records, boundaries, parse
from tests.support import wire
from tests.support.attempts import DAY, RULES, SECOND, Attempt, datagram, message, packet

FOUR, SIX = IPv4Address("198.18.0.7"), IPv6Address("2001:db8:1:2:3::7")
TARGET, TARGET6 = IPv4Address("203.0.113.25"), IPv6Address("2001:db8:ffff::25")


def read(*messages: bytes, at: int = 5) -> Records:
    data = datagram(messages)
    buffer = memoryview(data + bytes(-len(data) % 4))
    return parse(buffer, boundaries(buffer, 0, len(data)), at)


Row = tuple[str, str, int, int, int, str]


def rows(found: Records) -> list[Row]:
    """(source, target, port, from which port, time, rule), sorted."""
    return sorted(
        (str(prefix_of(source)), str(address(*target)), port, from_port, at, found.rules[rule])
        for source, target, port, from_port, at, rule in zip(
            found.source.tolist(), found.target.tolist(), found.port.tolist(), found.from_port.tolist(),
            found.at.tolist(), found.rule.tolist(), strict=True,
        )
    )  # fmt: skip


def test_both_families_with_and_without_a_time_stamp() -> None:
    four, six = Attempt(0, str(FOUR), str(TARGET), 40000), Attempt(0, str(SIX), str(TARGET6), 40001)
    found = read(message(packet(four), RULES[0], at=7), message(packet(six), RULES[1]), at=5)
    assert rows(found) == [
        ("198.18.0.7/32", str(TARGET), 25, 40000, 7, RULES[0]),
        ("2001:db8:1:2::/64", str(TARGET6), 25, 40001, 5, RULES[1]),
    ]
    assert found.flags.tolist() == [wire.SYN, wire.SYN]


def test_a_port_behind_extension_headers_is_found_and_what_cannot_be_read_has_none() -> None:
    tcp = wire.tcp(SIX, TARGET6, 1, 25, 1234)
    behind = wire.extended(SIX, TARGET6, [(wire.HOP, wire.OPTIONS), (wire.DESTINATION, wire.OPTIONS)], wire.TCP, tcp)
    first = wire.extended(SIX, TARGET6, [wire.fragment(0, True, 9)], wire.TCP, tcp)
    later = wire.extended(SIX, TARGET6, [wire.fragment(64, False, 9)], wire.TCP, tcp)
    tunnel = wire.ip(FOUR, TARGET, wire.SIX, first)
    fragment = wire.ip(FOUR, TARGET, wire.TCP, tcp, fragment=3)
    options = wire.ip(FOUR, TARGET, wire.TCP, wire.tcp(FOUR, TARGET, 1, 25, 77), options=bytes((1, 1, 1, 0)))
    cut = wire.ip(FOUR, TARGET, wire.TCP, tcp)[:30]
    for content, ports in (
        (behind, (25, 1234)), (first, (25, 1234)), (later, (0, 0)), (tunnel, (0, 0)), (fragment, (0, 0)),
        (options, (25, 77)), (cut, (0, 0)),
    ):  # fmt: skip
        found = read(message(content, RULES[0]))
        assert (found.port.tolist(), found.from_port.tolist(), found.unreadable) == ([ports[0]], [ports[1]], 0)


def test_what_is_no_packet_is_counted() -> None:
    whole = packet(Attempt(0, str(FOUR), str(TARGET)))
    found = read(message(b"", RULES[0]), message(whole[:19], RULES[0]), message(b"\x00" * 40, RULES[0]), whole[:3])
    assert (len(found), found.unreadable) == (0, 3)
    assert len(read()) == 0


address4 = st.integers(1, 2**32 - 1).map(IPv4Address)
address6 = st.integers(2**125, 2**126 - 1).map(IPv6Address)
pair = st.tuples(address4, address4) | st.tuples(address6, address6)
Sent = tuple[tuple[IPv4Address, IPv4Address], int, str, bool, int]
sent = st.tuples(pair, st.integers(0, 65535), st.sampled_from(RULES), st.booleans(), st.sampled_from((0, 14, 18)))


@given(st.lists(sent, max_size=60))
def test_a_mixture_is_read_as_its_parts_are(
    mixture: list[Sent],
) -> None:
    messages, expected = [], []
    for number, ((source, target), port, rule, stamped, hardware) in enumerate(mixture):
        at = DAY + number * SECOND
        content = packet(Attempt(0, str(source), str(target), port), number)
        messages.append(message(content, rule, number, at if stamped else None, hardware))
        shown = prefix_of(source_of(source))
        expected.append((str(shown), str(ip_address(int(target)) if source.version == 4 else target), 25, port,
                         at if stamped else 5, rule))  # fmt: skip
    found = read(*messages)
    assert rows(found) == sorted(expected)
    assert sorted(found.sequence.tolist()) == list(range(len(mixture)))


@given(st.lists(st.binary(max_size=200), max_size=10), st.data())
def test_no_bytes_at_all_break_it(contents: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(datagram(message(content, RULES[0], 1, 1) for content in contents))
    for _ in range(data.draw(st.integers(0, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(whole)))
    buffer = memoryview(bytes(whole) + bytes(-len(whole) % 4))
    spans = boundaries(buffer, 0, end)
    found = parse(buffer, spans, 0)
    assert len(found) + found.unreadable == len(spans)


def test_lengths_that_lie_are_where_reading_ends() -> None:
    good = message(packet(Attempt(0, str(FOUR), str(TARGET))), RULES[0])
    for length in (0, 19, 1 << 20):
        lying = struct.pack("=I", length) + good[4:]
        assert len(read(good, lying, good)) == 1
