"""NFLOG records as columns (linux/netfilter/nfnetlink_log.h): who tried to reach what, when, under which rule.

A record is a netlink message whose layout depends on the rule, the interface and the family, so the records of a
buffer fall into a few groups of one layout each. The first of a group is parsed; those that have the same headers at
the same places are read as columns of a grid of 32-bit words. Nothing behind the transport's header is looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MESSAGE = 4 << 8  # NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET
HEADERS = 20  # struct nlmsghdr, struct nfgenmsg
_TYPE_MASK = 0x3FFF
_TCP, _HOP, _ROUTING, _FRAGMENT, _DESTINATION = 6, 0, 43, 44, 60
_HEAD, _ATTRIBUTE = struct.Struct("=IH"), struct.Struct("=HH")
_KINDS = ("u8", "2u8", "u2", "u2", "u1", "i8", "u1", "u4")
_MAPPED = 0xFFFF << 32  # ::ffff:0:0/96, RFC 4291 2.5.5.2


class Kind(IntEnum):
    """NFULA_*: the attributes that are read."""

    TIMESTAMP = 3
    PAYLOAD = 9
    PREFIX = 10
    SEQUENCE = 12


Span = tuple[int, int]
"""(offset, length) in octets."""


@dataclass(frozen=True)
class Records:
    """Columns of one length n, in no order.

    source: uint64, an IPv4 address, or the upper half of an IPv6 address (its /64), which is 2**32 or more;
    target: uint64 (n, 2), an IPv6 address, or IPv4 as ::ffff:a.b.c.d; port, from_port: uint16, 0 where the packet is
    not TCP or its header cannot be read (of a tunnel there is the outer header alone); flags: uint8 of TCP;
    at: int64, microseconds since 1970; rule: index into `rules`, prefixes such as `op25b refused phase/first`;
    sequence: uint32, empty where the group numbers nothing.
    """

    source: NDArray[np.uint64]
    target: NDArray[np.uint64]
    port: NDArray[np.uint16]
    from_port: NDArray[np.uint16]
    flags: NDArray[np.uint8]
    at: NDArray[np.int64]
    rule: NDArray[np.uint8]
    sequence: NDArray[np.uint32]
    rules: tuple[str, ...] = ()
    unreadable: int = 0
    """Records that are no IP packet, or are cut before their addresses end."""

    def __len__(self) -> int:
        return len(self.source)

    @classmethod
    def of(cls, groups: Sequence[tuple[NDArray[Any], ...]], rules: tuple[str, ...], unreadable: int) -> Self:
        """The columns of each group, one below the other."""
        columns: list[Any] = [np.zeros((0, 2) if kind == "2u8" else 0, kind[-2:]) for kind in _KINDS]
        if groups:
            columns = [np.concatenate(column) for column in zip(*groups, strict=True)]
        return cls(*columns, rules, unreadable)  # type: ignore[call-arg]


@dataclass
class _Layout:
    """Of one record, in words of four octets from its start: what is alike in all of its group, where the values are.

    `alike`: (word, mask). `transport` is 0 where there is no TCP header to read.
    """

    alike: list[tuple[int, int]] = field(default_factory=list)
    prefix: str = ""
    stamp: int = 0
    sequence: int = 0
    packet: int = 0
    version: int = 0
    transport: int = 0


def boundaries(buffer: memoryview, start: int, end: int) -> list[Span]:
    """The records of one datagram, which is at `start` to `end` in a buffer."""
    found, at, unpack, last = list[Span](), start, _HEAD.unpack_from, end - HEADERS
    while at <= last:
        length, kind = unpack(buffer, at)
        if length < HEADERS or at + length > end:
            break
        if kind == MESSAGE:
            found.append((at, length))
        at += length + -length % 4
    return found


def parse(buffer: memoryview, spans: Sequence[Span], read_at: int) -> Records:
    """The records at `spans`, whose offsets are multiples of four; `read_at` is for those without a time stamp.

    `buffer` is of a multiple of four octets. A record that is not as the kernel makes them is counted, not read.
    """
    words = np.frombuffer(buffer, ">u4")
    groups: list[tuple[NDArray[Any], ...]] = []
    rules: dict[str, int] = {}
    unreadable = 0
    table = np.array(spans, np.int64).reshape(-1, 2)
    for length in np.unique(table[:, 1]):
        left = table[table[:, 1] == length, 0] // 4
        while len(left):
            layout = _layout(buffer[4 * left[0] : 4 * left[0] + length])
            places = np.array([place for place, _ in layout.alike], np.int64)
            masks = np.array([mask for _, mask in layout.alike], np.uint32)
            heads = words[left[:, None] + places].astype(np.uint32) & masks
            same = (heads == heads[0]).all(axis=1)
            rows, left = left[same], left[~same]
            if layout.version and len(rules) < 256:
                groups.append(_columns(words, rows, layout, rules.setdefault(layout.prefix, len(rules)), read_at))
            else:
                unreadable += len(rows)
    return Records.of(groups, tuple(rules), unreadable)


def _columns(
    words: NDArray[Any], rows: NDArray[np.int64], layout: _Layout, rule: int, read_at: int
) -> tuple[NDArray[Any], ...]:
    """The columns of Records for the records that begin at the words `rows`."""
    count = len(rows)

    def word(place: int) -> NDArray[np.uint64]:
        return words[rows + place].astype(np.uint64)

    def pair(place: int) -> NDArray[np.uint64]:
        return word(place) << np.uint64(32) | word(place + 1)

    at, packet = np.full(count, read_at, np.int64), layout.packet
    if layout.stamp:
        at = (pair(layout.stamp) * np.uint64(1_000_000) + pair(layout.stamp + 2)).astype(np.int64)
    if layout.version == 4:
        source = word(packet + 3)
        target = np.stack([np.zeros(count, np.uint64), word(packet + 4) | np.uint64(_MAPPED)], axis=1)
    else:
        source = pair(packet + 2)
        target = np.stack([pair(packet + 6), pair(packet + 8)], axis=1)
    nothing = np.zeros(count, np.uint64)
    ports = word(layout.transport) if layout.transport else nothing
    flags = word(layout.transport + 3) >> np.uint64(16) if layout.transport else nothing
    sequence = word(layout.sequence) if layout.sequence else nothing[:0]
    return (
        source,
        target,
        (ports & np.uint64(0xFFFF)).astype(np.uint16),
        (ports >> np.uint64(16)).astype(np.uint16),
        (flags & np.uint64(0xFF)).astype(np.uint8),
        at,
        np.full(count, rule, np.uint8),
        sequence.astype(np.uint32),
    )


def _layout(record: memoryview) -> _Layout:
    layout, at = _Layout(), HEADERS
    packet = record[:0]
    while at + _ATTRIBUTE.size <= len(record):
        length, kind = _ATTRIBUTE.unpack_from(record, at)
        if length < _ATTRIBUTE.size or at + length > len(record):
            break
        layout.alike.append((at // 4, 0xFFFFFFFF))
        value = record[at + 4 : at + length]
        match kind & _TYPE_MASK:
            case Kind.TIMESTAMP if length == 20:
                layout.stamp = at // 4 + 1
            case Kind.PREFIX:
                layout.prefix = bytes(value).rstrip(b"\0").decode(errors="replace")
                layout.alike += [(place, 0xFFFFFFFF) for place in range(at // 4 + 1, (at + length + 3) // 4)]
            case Kind.SEQUENCE if length == 8:
                layout.sequence = at // 4 + 1
            case Kind.PAYLOAD:
                layout.packet, packet = at // 4 + 1, value
        at += length + -length % 4
    if layout.packet:
        _headers(layout, packet)
    return layout


def _headers(layout: _Layout, packet: memoryview) -> None:
    """Version and transport of the packet; what led to them is alike in the group."""
    start = layout.packet
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        layout.version = 4
        # version and length of the header; fragment offset; protocol
        layout.alike += [(start, 0xFF000000), (start + 1, 0x0000FFFF), (start + 2, 0x00FF0000)]
        later = int.from_bytes(packet[6:8], "big") & 0x1FFF
        at, following = 4 * (packet[0] & 15), -1 if later else packet[9]
    elif len(packet) >= 40 and packet[0] >> 4 == 6:
        layout.version = 6
        layout.alike += [(start, 0xF0000000), (start + 1, 0x0000FF00)]
        at, following = _behind_extensions(layout, packet)
    else:
        layout.alike += [(start, 0xF0000000)] * bool(len(packet) >= 4)
        return
    if following == _TCP and at + 16 <= len(packet):
        layout.transport = start + at // 4


def _behind_extensions(layout: _Layout, packet: memoryview) -> tuple[int, int]:
    """(offset, protocol) of what is behind the extension headers (RFC 8200, 4); protocol -1: not in this packet."""
    at, following = 40, packet[6]
    while following in (_HOP, _ROUTING, _FRAGMENT, _DESTINATION):
        if at + 8 > len(packet):
            return at, -1
        layout.alike.append((layout.packet + at // 4, 0xFFFFFFFF))
        if following == _FRAGMENT and int.from_bytes(packet[at + 2 : at + 4], "big") & 0xFFF8:
            return at, -1
        size = 8 if following == _FRAGMENT else 8 * (packet[at + 1] + 1)
        at, following = at + size, packet[at]
    return at, following
