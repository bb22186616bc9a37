"""Pure: the bytes of an IP packet -> the TCP segment, ICMP error or UDP header in it, as far as they are needed."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from op25b.lab.addresses import Address

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58
_EXTENSIONS = {0, 43, 60}  # hop-by-hop, routing, destination options (RFC 8200 4)
_FRAGMENT = 44


@dataclass(frozen=True)
class Segment:
    """A TCP header (RFC 9293 3.1)."""

    source: Address
    sport: int
    target: Address
    dport: int
    flags: int

    def is_reply_to(self, other: Segment) -> bool:
        return (self.source, self.sport, self.target, self.dport) == (
            other.target, other.dport, other.source, other.sport,
        )  # fmt: skip


@dataclass(frozen=True)
class IcmpError:
    """An ICMP or ICMPv6 error about a TCP segment. `prohibited`: its code says that a filter refused it
    (RFC 1812 5.2.7.1 codes 9, 10, 13; RFC 4443 3.1 codes 1, 5, 6)."""

    source: Address
    target: Address
    kind: int
    code: int
    about: Segment

    @property
    def prohibited(self) -> bool:
        if self.source.version == 4:
            return self.kind == 3 and self.code in (9, 10, 13)
        return self.kind == 1 and self.code in (1, 5, 6)


@dataclass(frozen=True)
class Datagram:
    """A UDP header (RFC 768)."""

    source: Address
    sport: int
    target: Address
    dport: int


Packet = Segment | IcmpError | Datagram


def parse(packet: bytes) -> Packet | None:
    """None for everything else, truncated packets among it."""
    try:
        source, target, protocol, payload = _ip(packet)
        if protocol == _TCP:
            return _segment(source, target, payload)
        if protocol == _UDP:
            sport, dport = struct.unpack_from("!HH", payload)
            return Datagram(source, sport, target, dport)
        if protocol == (_ICMP if source.version == 4 else _ICMP6):
            return _icmp_error(source, target, payload)
    except (struct.error, IndexError, ValueError):
        pass
    return None


def _ip(packet: bytes) -> tuple[Address, Address, int, bytes]:
    if packet[0] >> 4 == 4:
        if struct.unpack_from("!H", packet, 6)[0] & 0x1FFF:
            raise ValueError("not the first fragment")
        header = (packet[0] & 0xF) * 4
        return IPv4Address(packet[12:16]), IPv4Address(packet[16:20]), packet[9], packet[header:]
    if packet[0] >> 4 != 6:
        raise ValueError("not IP")
    protocol, payload = packet[6], packet[40:]
    while protocol in _EXTENSIONS or protocol == _FRAGMENT:
        if protocol == _FRAGMENT and struct.unpack_from("!H", payload, 2)[0] >> 3:
            raise ValueError("not the first fragment")
        length = 8 if protocol == _FRAGMENT else (payload[1] + 1) * 8
        protocol, payload = payload[0], payload[length:]
    return IPv6Address(packet[8:24]), IPv6Address(packet[24:40]), protocol, payload


def _segment(source: Address, target: Address, tcp: bytes) -> Segment:
    # An ICMP error need only quote the first 8 bytes, which end before the flags.
    sport, dport = struct.unpack_from("!HH", tcp)
    return Segment(source, sport, target, dport, tcp[13] if len(tcp) > 13 else 0)


def _icmp_error(source: Address, target: Address, icmp: bytes) -> IcmpError | None:
    kind, code = icmp[0], icmp[1]
    is_error = kind in (3, 11, 12) if source.version == 4 else kind < 128
    if not is_error:
        return None
    inner_source, inner_target, protocol, payload = _ip(icmp[8:])
    if protocol != _TCP:
        return None
    return IcmpError(source, target, kind, code, _segment(inner_source, inner_target, payload))
