"""What the kernel's sets hold, read back as sorted NumPy arrays, and how it differs from what is wanted.

Elements of one layout follow each other in a dump in long runs, so a run is read as a grid of 32-bit words:
the first element is parsed, the rows below it that have the same headers are taken as columns.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from op25b.enforcement.elements import (
    NFT_SET_ELEM_INTERVAL_END,
    NFTA_DATA_VALUE,
    NFTA_LIST_ELEM,
    NFTA_SET_ELEM_FLAGS,
    NFTA_SET_ELEM_KEY,
    NFTA_SET_ELEM_LIST_ELEMENTS,
    NFTA_SET_ELEM_LIST_SET,
    NFTA_SET_ELEM_LIST_TABLE,
    Addresses4,
    Addresses6,
    Elements,
    Intervals4,
    Intervals6,
    addresses,
    step,
)
from op25b.enforcement.inventory import NFT_SET_INTERVAL, SetInfo, read_set
from op25b.enforcement.members import absent, sortable
from op25b.enforcement.netlink import NLA_HEADER, NLA_TYPE_MASK, Netlink, NetlinkError, attributes, nested, text

NFT_MSG_GETSETELEM, NFT_MSG_GETSETELEM_RESET = 13, 33
NFT_SET_ELEM_CATCHALL = 0x2
_AT_ONCE = 256
NFTA_SET_ELEM_EXPIRATION, NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_EXPRESSIONS = 5, 7, 11
NFTA_EXPR_NAME, NFTA_EXPR_DATA = 1, 2
NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS = 1, 2
TYPE_IPADDR, TYPE_IP6ADDR = 7, 8  # the numbers by which nft names a key's type

_Path = tuple[int, ...]
_EXPRESSIONS: tuple[_Path, ...] = ((NFTA_SET_ELEM_EXPR,), (NFTA_SET_ELEM_EXPRESSIONS, NFTA_LIST_ELEM))
_NESTS: frozenset[_Path] = frozenset(
    [(NFTA_SET_ELEM_KEY,), (NFTA_SET_ELEM_EXPRESSIONS,), *_EXPRESSIONS]
    + [(*path, NFTA_EXPR_DATA) for path in _EXPRESSIONS]
)
_LEAVES: dict[_Path, str] = {
    (NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE): "key",
    (NFTA_SET_ELEM_FLAGS,): "flags",
    (NFTA_SET_ELEM_EXPIRATION,): "expires",
    **{(*path, NFTA_EXPR_NAME): "expression" for path in _EXPRESSIONS},
    **{(*path, NFTA_EXPR_DATA, NFTA_COUNTER_BYTES): "octets" for path in _EXPRESSIONS},
    **{(*path, NFTA_EXPR_DATA, NFTA_COUNTER_PACKETS): "packets" for path in _EXPRESSIONS},
}


@dataclass(frozen=True)
class RawMembers:
    """The elements of a set of any type, in the kernel's order; columns of one length n.

    keys (n, key octets) uint8; ends (n,) bool marks the ends of intervals; expires_ms (n,) int64, -1 for
    an element that stays; packets, octets (n,) uint64 of the elements' counters, 0 where there is none;
    catchall: the set also holds `*`, which matches every key.
    """

    keys: NDArray[np.uint8]
    ends: NDArray[np.bool_]
    expires_ms: NDArray[np.int64]
    packets: NDArray[np.uint64]
    octets: NDArray[np.uint64]
    catchall: bool


@dataclass(frozen=True)
class Members:
    """The members of a set of addresses, sorted; the other columns go with `elements` row by row."""

    elements: Elements
    expires_ms: NDArray[np.int64]
    packets: NDArray[np.uint64]
    octets: NDArray[np.uint64]
    catchall: bool


@dataclass
class _Layout:
    """Of one element, in octets from its start: what must be alike in a run, and where the values are."""

    length: int
    alike: list[int] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    flags: int = 0
    expression: bytes = b""


def read_members(link: Netlink, table: str, name: str) -> Members | None:
    """The members of a set of IPv4 or IPv6 addresses or intervals; None where there is no such set.

    The set must have been declared with a size: the kernel moves the elements of one that was not while
    they are read, and then some come twice and some never. ValueError: the set is of another type.
    """
    info = read_set(link, table, name)
    if info is None:
        return None
    if info.key_type not in (TYPE_IPADDR, TYPE_IP6ADDR):
        raise ValueError(f"set {name} does not hold addresses")
    raw = _read(link, table, info)
    return _intervals(raw) if info.flags & NFT_SET_INTERVAL else _addresses(raw)


def read_raw_members(link: Netlink, table: str, name: str) -> RawMembers | None:
    """The elements of a set of any type; None where there is no such set."""
    info = read_set(link, table, name)
    return None if info is None else _read(link, table, info)


def glimpse(link: Netlink, table: str, name: str) -> RawMembers | None:
    """As read_raw_members, once; of a set that packets change, some elements may come twice and some not at all."""
    info = read_set(link, table, name)
    what = f"reading set {name}"
    return None if info is None else _parsed(info, link.glimpse(NFT_MSG_GETSETELEM, _names(table, info), what))


def take_counts(link: Netlink, table: str, name: str, asked: Elements) -> RawMembers | None:
    """The elements that are there of those asked for; their counters go on from zero, and no packet is missed.

    NetlinkError EINVAL: Linux before 6.5 cannot. One by one, as a dump zeroes also the counter of the element that no
    longer fits into a part of the answer, and leaves that count out.
    """
    return _each(link, table, name, asked, NFT_MSG_GETSETELEM_RESET)


def those_there(link: Netlink, table: str, name: str, asked: Elements) -> Elements:
    """Those of them that are members, without reading all that are; intervals count as a whole."""
    if asked.interval:
        found = read_members(link, table, name)
        missing = asked if found is None else members_difference(asked, found.elements)[0]
        return members_difference(asked, missing)[0]
    raw = _each(link, table, name, asked, NFT_MSG_GETSETELEM)
    return asked.take(slice(0, 0)) if raw is None else _addresses(raw).elements


def _each(link: Netlink, table: str, name: str, asked: Elements, kind: int) -> RawMembers | None:
    info = read_set(link, table, name)
    if info is None:
        return None
    answers, at, what = list[bytes](), 0, f"asking for members of set {name}"
    while at < len(asked):
        wanted = nested(NFTA_SET_ELEM_LIST_ELEMENTS, asked.take(slice(at, at + _AT_ONCE)).pack())
        found, number = link.get_each(kind, _names(table, info) + wanted, what)
        answers += found
        if number == errno.ENOENT:
            at += len(found) + 1  # that one is not there
        elif number:
            raise NetlinkError(number, what)
        else:
            at += _AT_ONCE
    return _parsed(info, answers)


def members_difference(expected: Elements, actual: Elements) -> tuple[Elements, Elements]:
    """(missing, extra): the members of `expected` that `actual` lacks, and the other way round.

    Exact: members are compared, never counts. An interval is a member as a whole. ValueError where the two
    are not of one kind.
    """
    if type(expected) is not type(actual):
        raise ValueError(f"{type(expected).__name__} cannot be compared with {type(actual).__name__}")
    ours, theirs = expected.keys(), actual.keys()
    if np.array_equal(ours, theirs):
        nothing = slice(0, 0)
        return expected.take(nothing), actual.take(nothing)
    return expected.take(absent(ours, theirs)), actual.take(absent(theirs, ours))


def _addresses(raw: RawMembers) -> Members:
    order = np.argsort(sortable(raw.keys))
    column = addresses(raw.keys[order])
    elements = Addresses4(column) if column.ndim == 1 else Addresses6(column)
    return Members(elements, raw.expires_ms[order], raw.packets[order], raw.octets[order], raw.catchall)


def _intervals(raw: RawMembers) -> Members:
    # As the kernel looks an address up: an interval runs from its start to the next boundary, or to the top.
    # At one key the end of an interval comes before the start of the next.
    order = np.lexsort((~raw.ends, sortable(raw.keys)))
    keys, ends = raw.keys[order], raw.ends[order]
    starts = np.flatnonzero(~ends)
    last = np.full_like(keys, 0xFF)
    last[:-1] = step(keys[1:], -1)
    first, last, order = keys[starts], last[starts], order[starts]
    kind = Intervals4 if keys.shape[1] == 4 else Intervals6
    elements = kind(addresses(first), addresses(last))
    return Members(elements, raw.expires_ms[order], raw.packets[order], raw.octets[order], raw.catchall)


def _read(link: Netlink, table: str, info: SetInfo) -> RawMembers:
    return _parsed(info, link.dump(NFT_MSG_GETSETELEM, _names(table, info), f"reading set {info.name}"))


def _names(table: str, info: SetInfo) -> bytes:
    return text(NFTA_SET_ELEM_LIST_TABLE, table) + text(NFTA_SET_ELEM_LIST_SET, info.name)


def _parsed(info: SetInfo, answers: list[bytes]) -> RawMembers:
    listed = b"".join(attributes(answer).get(NFTA_SET_ELEM_LIST_ELEMENTS, b"") for answer in answers)
    runs, catchall = [], False
    for layout, rows in _runs(listed):
        if layout.flags & NFT_SET_ELEM_CATCHALL:
            catchall = True
        else:
            runs.append(_columns(layout, rows))
    if not runs:
        count = np.zeros(0, np.uint64)
        keys = np.zeros((0, info.key_length), np.uint8)
        return RawMembers(keys, np.zeros(0, bool), np.zeros(0, np.int64), count, count, catchall)
    keys, ends, expires_ms, packets, octets = (np.concatenate(column) for column in zip(*runs, strict=True))
    return RawMembers(keys, ends, expires_ms, packets, octets, catchall)


def _columns(layout: _Layout, rows: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
    """(keys, ends, expires_ms, packets, octets) of a run of elements of one layout."""

    def number(name: str, absent: int, kind: type[np.int64] | type[np.uint64]) -> NDArray[Any]:
        if name not in layout.places:
            return np.full(len(rows), absent, kind)
        at, length = layout.places[name]
        return np.ascontiguousarray(rows[:, at : at + length]).view(">u8").ravel().astype(kind)

    at, length = layout.places["key"]
    ends = np.full(len(rows), bool(layout.flags & NFT_SET_ELEM_INTERVAL_END))
    return (
        np.ascontiguousarray(rows[:, at : at + length]),
        ends,
        number("expires", -1, np.int64),
        number("packets", 0, np.uint64),
        number("octets", 0, np.uint64),
    )


def _runs(listed: bytes) -> Iterator[tuple[_Layout, NDArray[np.uint8]]]:
    """Elements of one layout at a time, as (n, layout.length) octets; what alternates comes as two runs."""
    at = 0
    while at < len(listed):
        one = _layout(listed, at)
        pair = [one]
        if at + one.length < len(listed):
            pair.append(_layout(listed, at + one.length))
        period = sum(layout.length for layout in pair)
        rows = (len(listed) - at) // period
        grid = np.frombuffer(listed, np.uint8, rows * period, at).reshape(rows, period)
        alike = [*pair[0].alike, *(one.length + place for layout in pair[1:] for place in layout.alike)]
        words = grid.view(np.uint32)[:, [place // 4 for place in alike]]
        same = (words == words[0]).all(axis=1)
        run = rows if same.all() else int(same.argmin())
        yield one, grid[:run, : one.length]
        if len(pair) > 1:
            yield pair[1], grid[:run, one.length :]
        at += run * period


def _layout(listed: bytes, start: int) -> _Layout:
    (length,) = struct.unpack_from("=H", listed, start)
    layout = _Layout(length + -length % 4, [0])
    _walk(listed[start : start + length], NLA_HEADER, length, (), layout)
    return layout


def _walk(element: bytes, at: int, end: int, path: _Path, layout: _Layout) -> None:
    while at < end:
        length, kind = struct.unpack_from("=HH", element, at)
        if length < NLA_HEADER:
            raise NetlinkError(errno.EBADMSG, "reading a set element")
        place, value = (*path, kind & NLA_TYPE_MASK), at + NLA_HEADER
        layout.alike.append(at)
        if place in _NESTS:
            _walk(element, value, at + length, place, layout)
        else:
            _leaf(_LEAVES.get(place, ""), element, value, length - NLA_HEADER, layout)
        at += length + -length % 4


def _leaf(name: str, element: bytes, at: int, length: int, layout: _Layout) -> None:
    if name == "flags":
        layout.flags = int.from_bytes(element[at : at + length], "big")
        layout.alike.append(at)
    elif name == "expression":
        layout.expression = element[at : at + length].rstrip(b"\0")
        layout.alike.extend(range(at, at + length, 4))
    elif name in ("key", "expires") or (name and layout.expression == b"counter"):
        layout.places[name] = (at, length)
