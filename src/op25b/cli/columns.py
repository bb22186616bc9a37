"""Columns of a flow file as arrays of numbers; a row that cannot be read is noted, with the reason.

Each parser looks at each distinct text once, in Python. Where texts seldom repeat (IPv4 addresses, times) it has a
fast path over the whole column first, which takes nothing that the slow one would refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from op25b.cli.addresses import packed
from op25b.errors import UserError
from op25b.policy.batch import Bool, Int64, UInt32, UInt64, microseconds
from op25b.policy.verdict import TCP

Column = Any
"""A pyarrow array; pyarrow has no types of its own."""
UInt8 = npt.NDArray[np.uint8]
T = TypeVar("T")

_YEAR_1 = microseconds(datetime.min.replace(tzinfo=UTC))
PROTOCOLS = {"icmp": 1, "gre": 47, "ipv6-icmp": 58, "icmpv6": 58, "sctp": 132, "tcp": TCP, "udp": 17}


@dataclass
class Faults:
    """Bad rows of one batch, each with the first thing that is wrong with it."""

    rows: dict[int, str] = field(default_factory=dict)

    def add(self, rows: Int64, why: Callable[[int], str]) -> None:
        for row in rows.tolist():
            self.rows.setdefault(row, why(row))


@dataclass
class Addresses:
    """A column of addresses. `version` is 4, 6, or 0 for a bad row; the halves are there if any is of version 6."""

    version: UInt8
    v4: UInt32
    high: UInt64
    low: UInt64


def texts(column: Column, name: str) -> Column:
    """A column as text that need not be valid UTF-8 (nulls become empty); raises UserError for another type."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise UserError(f"column {name} has the type {column.type}; write it as text")
    return pc.fill_null(column.cast(pa.string()), "").cast(pa.binary())


def addresses(column: Column, name: str, faults: Faults) -> Addresses:
    """IPv4 and IPv6 addresses as text."""
    column = texts(column, name)
    values, good = _dotted_quads(*_characters(column))
    found = Addresses(np.where(good, np.uint8(4), np.uint8(0)), values, np.empty(0, np.uint64), np.empty(0, np.uint64))
    rest = np.flatnonzero(~good)
    if rest.size:
        _other_addresses(column, rest, found, name, faults)
    return found


def _other_addresses(column: Column, rest: Int64, found: Addresses, name: str, faults: Faults) -> None:
    """What is not a plain dotted quad: IPv6, mapped IPv4, quads between blanks, and faults."""
    kinds, indices = _distinct(column.take(pa.array(rest)))
    known, wrong = _parsed(kinds, packed, b"")
    _note(wrong, indices, rest, name, faults)
    versions = np.array([{0: 0, 4: 4, 16: 6}[len(each)] for each in known], np.uint8)
    halves = np.frombuffer(b"".join(each.rjust(16, b"\0") for each in known), ">u8").reshape(-1, 2).astype(np.uint64)
    found.version[rest] = versions[indices]
    found.v4[rest] = halves[indices, 1].astype(np.uint32)
    found.high, found.low = np.zeros(len(column), np.uint64), np.zeros(len(column), np.uint64)
    found.high[rest], found.low[rest] = halves[indices, 0], halves[indices, 1]


def instants(column: Column, name: str, faults: Faults) -> Int64:
    """Instants as microseconds since 1970: ISO 8601 with an offset, or timestamps with a time zone."""
    if pa.types.is_timestamp(column.type):
        if column.type.tz is None:
            raise UserError(f"column {name} has timestamps without a time zone; write timestamps of UTC")
        return _integers(column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()), name, faults)
    column = texts(column, name)
    try:
        fast: Int64 = np.asarray(column.cast(pa.string()).cast(pa.timestamp("us", "UTC")).cast(pa.int64()))
    except pa.ArrowInvalid:
        return _each(column, _instant, name, faults)
    # Arrow has a year 0, Python has not
    return fast if not len(fast) or fast.min() >= _YEAR_1 else _each(column, _instant, name, faults)


def _instant(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; write one such as 2008-04-01T00:00:00+09:00") from None
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC; write one such as {text}+09:00")
    return microseconds(at)


def ports(column: Column, name: str, faults: Faults, empty: int | None = None) -> Int64:
    """Ports from 0 to 65535. An empty one is `empty`, or bad when that is None."""
    return _small(column, lambda text: _number(text, 65535, "a port"), 65535, name, faults, empty)


def protocols(column: Column, name: str, faults: Faults) -> Int64:
    """Protocol numbers or the names in PROTOCOLS, in any case; an empty one is TCP."""

    def parse(text: str) -> int:
        known = PROTOCOLS.get(text.lower())
        return known if known is not None else _number(text, 255, "a protocol")

    return _small(column, parse, 255, name, faults, TCP)


def _number(text: str, most: int, noun: str) -> int:
    # the length first: Python refuses to read numbers of thousands of digits
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= most):
        raise ValueError(f"{text!r} is not {noun}; write a number from 0 to {most}")
    return int(text)


def _small(
    column: Column, parse: Callable[[str], int], most: int, name: str, faults: Faults, empty: int | None
) -> Int64:
    if not pa.types.is_integer(column.type):
        return _each(column, parse, name, faults, empty)
    values = _integers(column, name, faults, empty)
    outside = np.flatnonzero((values < 0) | (values > most))
    faults.add(outside, lambda row: f"{name} {values[row]} is not a number from 0 to {most}")
    return values


def _integers(column: Column, name: str, faults: Faults, empty: int | None = None) -> Int64:
    if empty is None:
        faults.add(np.flatnonzero(np.asarray(column.is_null())), lambda row: f"{name} is empty")
    return np.asarray(pc.fill_null(column, empty or 0).cast(pa.int64(), safe=False))


def _each(column: Column, parse: Callable[[str], int], name: str, faults: Faults, empty: int | None = None) -> Int64:
    kinds, indices = _distinct(texts(column, name) if not pa.types.is_binary(column.type) else column)
    known, wrong = _parsed(kinds, parse, 0)
    if empty is not None and b"" in kinds:
        known[kinds.index(b"")] = empty
        wrong.pop(kinds.index(b""), None)
    _note(wrong, indices, np.arange(len(column)), name, faults)
    return np.array(known, np.int64)[indices]


def _distinct(column: Column) -> tuple[list[bytes], Int64]:
    encoded = column.dictionary_encode()
    return encoded.dictionary.to_pylist(), np.asarray(encoded.indices).astype(np.int64)


def _parsed(kinds: list[bytes], parse: Callable[[str], T], bad: T) -> tuple[list[T], dict[int, str]]:
    """Each kind parsed, and by number what is wrong with those that cannot be; `bad` stands in their place."""
    known: list[T] = []
    wrong: dict[int, str] = {}
    for number, kind in enumerate(kinds):
        try:
            known.append(parse(kind.decode("utf-8", "replace").strip()))
        except ValueError as error:
            known.append(bad)
            wrong[number] = str(error) if kind else "is empty"
    return known, wrong


def _note(wrong: dict[int, str], indices: Int64, rows: Int64, name: str, faults: Faults) -> None:
    if wrong:
        bad = np.flatnonzero(np.isin(indices, list(wrong)))
        why = {int(rows[each]): wrong[int(indices[each])] for each in bad}
        faults.add(rows[bad], lambda row: f"{name} {why[row]}")


def _characters(column: Column) -> tuple[UInt8, Int64]:
    """The bytes of all texts, one after the other, and where each begins; the last entry is where all end."""
    _, offsets, data = column.buffers()
    starts = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    return np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8), starts


def _dotted_quads(characters: UInt8, starts: Int64) -> tuple[UInt32, Bool]:
    """IPv4 addresses, and which texts are one: four numbers up to 255 without leading zeros (as inet_pton has it)."""
    values, good = np.zeros(len(starts) - 1, np.uint32), np.zeros(len(starts) - 1, np.bool_)
    dots = np.flatnonzero(characters == ord("."))
    before = np.searchsorted(dots, starts)
    rows = np.flatnonzero(np.diff(before) == 3)
    if not rows.size:
        return values, good
    first = before[rows]
    edges = [starts[rows] - 1, dots[first], dots[first + 1], dots[first + 2], starts[rows + 1]]
    value, fine = np.zeros(len(rows), np.uint32), np.ones(len(rows), np.bool_)
    for left, right in pairwise(edges):
        octet, proper = _octet(characters, left, right)
        value = (value << np.uint32(8)) | octet
        fine &= proper
    values[rows], good[rows] = np.where(fine, value, 0), fine
    return values, good


def _octet(characters: UInt8, left: Int64, right: Int64) -> tuple[UInt32, Bool]:
    """The numbers between the places `left` and `right`, both excluded, and which of them are proper."""
    length = right - left - 1
    # a byte below '0' wraps round and is no digit either
    ones, tens, hundreds = (characters[np.maximum(right - n, 0)] - np.uint8(ord("0")) for n in (1, 2, 3))
    two, three = length > 1, length > 2
    value = ones.astype(np.uint32) + 10 * (tens * two).astype(np.uint32) + 100 * (hundreds * three).astype(np.uint32)
    digits = (ones < 10) & (~two | (tens < 10)) & (~three | (hundreds < 10))
    no_leading_zero = np.where(three, hundreds, np.where(two, tens, 1)) > 0
    return value, digits & no_leading_zero & (length > 0) & (length < 4) & (value < 256)
