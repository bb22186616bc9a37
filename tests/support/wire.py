"""Packets as bytes: built by hand, so that no kernel mends them, and read back with what is needed to tell them apart.

Every packet carries a number of its own, a multiple of STEP: TCP as its sequence number, UDP in the four bytes after
the header, a fragment as its identification.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

Addr = IPv4Address | IPv6Address

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
IPIP, SIX, GRE = 4, 41, 47
HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
SYN, RST, ACK = 0x02, 0x04, 0x10
STEP = 64
"""A reset acknowledges the data of what it answers too, which is shorter than this."""
FAST_OPEN = bytes((34, 10)) + bytes(8) + bytes((1, 1))


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp(
    src: Addr, dst: Addr, number: int, dport: int, sport: int = 40000, flags: int = SYN, *, options: bytes = b"",
    data: bytes = b"",
) -> bytes:  # fmt: skip
    """A TCP segment with a true checksum; `number` is its sequence number."""
    length = (5 + len(options) // 4) << 12
    head = struct.pack("!HHIIHHHH", sport, dport, number, 0, length | flags, 1024, 0, 0) + options
    sum_ = checksum(_pseudo(src, dst, TCP, len(head) + len(data)) + head + data)
    return head[:16] + struct.pack("!H", sum_) + head[18:] + data


def udp(src: Addr, dst: Addr, number: int, dport: int, sport: int = 40000, data: bytes = b"") -> bytes:
    """A UDP datagram that begins with `number`."""
    data = struct.pack("!I", number) + data
    head = struct.pack("!HHHH", sport, dport, 8 + len(data), 0)
    return head[:6] + struct.pack("!H", checksum(_pseudo(src, dst, UDP, 8 + len(data)) + head + data)) + data


def _pseudo(src: Addr, dst: Addr, proto: int, length: int) -> bytes:
    return src.packed + dst.packed + struct.pack("!IHBB", length, 0, 0, proto)


def ip(
    src: Addr, dst: Addr, proto: int, payload: bytes, *, fragment: int = 0, number: int = 0,
    options: bytes = b"",
) -> bytes:  # fmt: skip
    """An IP packet of the addresses' family. IPv4 only: `fragment` (flags and offset), its `number`, and `options`."""
    if src.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + src.packed + dst.packed + payload
    words = 5 + len(options) // 4
    total = 4 * words + len(payload)
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, total, number // STEP, fragment, 64, proto, 0)
    head += src.packed + dst.packed + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def extended(src: Addr, dst: Addr, chain: list[tuple[int, bytes]], proto: int, payload: bytes) -> bytes:
    """An IPv6 packet with extension headers, each given with its number and its bytes after 'next header'."""
    following = [number for number, _ in chain[1:]] + [proto]
    headers = b"".join(bytes((after,)) + body for (_, body), after in zip(chain, following, strict=True))
    return ip(src, dst, chain[0][0] if chain else proto, headers + payload)


OPTIONS = bytes((0, 1, 4, 0, 0, 0, 0))
"""Body of a hop-by-hop or destination options header of 8 bytes: PadN."""
SEGMENTS_LEFT_0 = bytes((2, 4, 0, 0, 0, 0, 0)) + bytes(16)
"""Body of a routing header (type 4) of 24 bytes that has been used up."""


def fragment(offset: int, more: bool, number: int) -> tuple[int, bytes]:
    """A fragment header; `offset` in bytes, a multiple of 8."""
    return FRAGMENT, struct.pack("!BHI", 0, offset | more, number)


@dataclass(frozen=True)
class Seen:
    """A packet on the wire: `kind` is 'arrived', 'reset', 'icmp' (administratively prohibited) or 'other'."""

    kind: str
    number: int


def read(packet: bytes) -> Seen | None:
    """What the packet is, None when it carries no number."""
    try:
        return _read(packet)
    except (struct.error, IndexError):
        return None


def _read(packet: bytes) -> Seen | None:
    proto, payload, whole = _payload(packet)
    if whole is not None:
        return Seen("arrived", whole)
    if proto == TCP:
        seq, ack = struct.unpack_from("!II", payload, 4)
        reset = len(payload) > 13 and payload[13] & RST
        return Seen("reset", (ack - 1) // STEP * STEP) if reset else Seen("arrived", seq)
    if proto in (ICMP, ICMP6):
        return _read_icmp(proto, payload)
    if proto == UDP:
        return Seen("arrived", struct.unpack_from("!I", payload, 8)[0])
    if proto in (IPIP, SIX):
        return _read(payload)
    if proto == GRE:
        flags, inner = struct.unpack_from("!HH", payload)
        start = 4 + 4 * sum(bool(flags & bit) for bit in (0x8000, 0x2000, 0x1000))
        return _read(payload[start:]) if inner in (0x0800, 0x86DD) else Seen("arrived", _last(payload))
    return Seen("arrived", _last(payload))


def _read_icmp(proto: int, payload: bytes) -> Seen | None:
    kind, code = payload[:2]
    if kind in (0, 129):
        return Seen("reply", _last(payload))
    if kind not in (1, 3):
        return Seen("arrived", _last(payload))
    about = _read(payload[8:])
    prohibited = (3, 13) if proto == ICMP else (1, 1)
    return Seen("icmp" if (kind, code) == prohibited else "other", about.number) if about else None


def _last(payload: bytes) -> int:
    return int(struct.unpack("!I", payload[-4:])[0])


def _payload(packet: bytes) -> tuple[int, bytes, int | None]:
    """Protocol and payload; and the number of a fragment that is not the whole of a packet."""
    if packet[0] >> 4 == 4:
        ident, fragment = struct.unpack_from("!HH", packet, 4)
        part = fragment & 0x3FFF
        return packet[9], packet[4 * (packet[0] & 15) :], ident * STEP if part else None
    proto, payload = packet[6], packet[40:]
    while proto in (HOP, ROUTING, FRAGMENT, DESTINATION):
        if proto == FRAGMENT:
            part, found = struct.unpack_from("!HI", payload, 2)
            if part & 0xFFF9:
                return payload[0], payload[8:], found
        proto, payload = payload[0], payload[8 if proto == FRAGMENT else 8 * (payload[1] + 1) :]
    return proto, payload, None
