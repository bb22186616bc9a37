"""Packets as bytes, and outcomes as the packets tell them."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.lab.packets import ACK, RST, SYN, IcmpError, Segment, parse
from op25b.lab.wire import Kind, Seen, classify

CLIENT4, SERVER4, ROUTER4 = (ip_address(f"192.0.2.{n}").packed for n in (1, 2, 3))
CLIENT6, SERVER6, ROUTER6 = (ip_address(f"2001:db8::{n}").packed for n in (1, 2, 3))


def tcp(sport: int, dport: int, flags: int) -> bytes:
    return struct.pack("!HHIIBBHHH", sport, dport, 0, 0, 0x50, flags, 0, 0, 0)


def ip(source: bytes, target: bytes, protocol: int, payload: bytes) -> bytes:
    if len(source) == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
        return header + source + target + payload
    return struct.pack("!IHBB", 0x60000000, len(payload), protocol, 64) + source + target + payload


@pytest.mark.parametrize(("client", "server"), [(CLIENT4, SERVER4), (CLIENT6, SERVER6)])
def test_a_segment_is_read(client: bytes, server: bytes) -> None:
    expected = Segment(ip_address(client), 40000, ip_address(server), 25, SYN)
    assert parse(ip(client, server, 6, tcp(40000, 25, SYN))) == expected


def test_a_segment_behind_extension_headers_is_read() -> None:
    options = bytes([60, 0]) + bytes(6)
    fragment = bytes([6, 0, 0, 1, 0, 0, 0, 0])
    packet = ip(CLIENT6, SERVER6, 0, options + bytes([44, 0]) + bytes(6) + fragment + tcp(1, 25, SYN))
    read = parse(packet)
    assert isinstance(read, Segment)
    assert (read.sport, read.dport) == (1, 25)


def test_a_later_fragment_has_no_header_to_read() -> None:
    assert parse(ip(CLIENT6, SERVER6, 44, bytes([6, 0, 0, 8, 0, 0, 0, 0]) + tcp(1, 25, SYN))) is None


@pytest.mark.parametrize(
    ("client", "router", "server", "protocol", "kind", "code", "prohibited"),
    [
        (CLIENT4, ROUTER4, SERVER4, 1, 3, 13, True),
        (CLIENT4, ROUTER4, SERVER4, 1, 3, 1, False),
        (CLIENT6, ROUTER6, SERVER6, 58, 1, 1, True),
        (CLIENT6, ROUTER6, SERVER6, 58, 1, 0, False),
    ],
)
def test_an_icmp_error_is_read(
    client: bytes, router: bytes, server: bytes, protocol: int, kind: int, code: int, prohibited: bool
) -> None:
    # 8 bytes of the segment are all that RFC 792 promises.
    quoted = ip(client, server, 6, tcp(40000, 25, SYN)[:8])
    read = parse(ip(router, client, protocol, bytes([kind, code]) + bytes(6) + quoted))
    assert isinstance(read, IcmpError)
    assert read.prohibited is prohibited
    assert (read.source, read.about.dport) == (ip_address(router), 25)


@given(st.binary(max_size=120))
def test_no_bytes_upset_the_parser(noise: bytes) -> None:
    parse(noise)


def segment(flags: int, *, reply: bool = False, sport: int = 40000) -> Segment:
    ours, theirs = ip_address(CLIENT4), ip_address(SERVER4)
    return Segment(theirs, 25, ours, sport, flags) if reply else Segment(ours, sport, theirs, 25, flags)


def passing(at: float, packet: Segment) -> list[Seen]:
    return [Seen(at, "to1", False, packet), Seen(at + 0.0001, "eth0", True, packet)]


def test_connected_needs_all_three_steps() -> None:
    two = [*passing(1, segment(SYN)), *passing(1.01, segment(SYN | ACK, reply=True))]
    assert classify(two, 25).kind is Kind.SILENT
    three = classify([*two, *passing(1.02, segment(ACK))], 25)
    assert (three.kind, three.forwarded, three.here) == (Kind.CONNECTED, True, False)
    assert three.milliseconds == pytest.approx(10)


def test_a_reset_by_the_router_is_told_from_one_by_the_server() -> None:
    reset = segment(RST | ACK, reply=True)
    by_router = classify([Seen(1, "to1", False, segment(SYN)), Seen(1.001, "to1", True, reset)], 25)
    assert (by_router.kind, by_router.here, by_router.forwarded) == (Kind.RESET, True, False)
    assert by_router.milliseconds == pytest.approx(1)
    by_server = classify([*passing(1, segment(SYN)), *passing(1.002, reset)], 25)
    assert (by_server.kind, by_server.here, by_server.forwarded) == (Kind.RESET, False, True)


def test_the_best_of_several_tries_counts() -> None:
    refused = [Seen(1, "to1", False, segment(SYN)), Seen(1.001, "to1", True, segment(RST, reply=True))]
    again = [
        *passing(2, segment(SYN, sport=2)),
        *passing(2.001, segment(SYN | ACK, reply=True, sport=2)),
        *passing(2.002, segment(ACK, sport=2)),
    ]
    assert classify([*refused, *again], 25).kind is Kind.CONNECTED


def test_other_ports_and_targets_are_no_attempt() -> None:
    seen = passing(1, segment(SYN))
    assert classify(seen, 587).kind is Kind.NONE
    assert classify(seen, 25, ip_address("192.0.2.9")).kind is Kind.NONE
    assert classify(seen, 25, ip_address(SERVER4)).kind is Kind.SILENT
