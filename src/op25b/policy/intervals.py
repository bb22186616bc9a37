"""Sets of addresses as sorted, disjoint, inclusive intervals of integers: exact union, difference, intersection.

One family at a time; an address is its integer value. All functions are exact: nothing is rounded to a
larger prefix (an address that is not in the policy is never covered by accident).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
    summarize_address_range,
)
from typing import Literal

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network
Version = Literal[4, 6]
Interval = tuple[int, int]
"""First and last address, both included."""
Intervals = tuple[Interval, ...]
"""Sorted by first address, disjoint, and not adjacent: the one normal form."""

TOP: dict[Version, int] = {4: 2**32 - 1, 6: 2**128 - 1}


def address(version: Version, value: int) -> Address:
    """The address object of integer `value`; raises ipaddress.AddressValueError when it is out of range."""
    return IPv4Address(value) if version == 4 else IPv6Address(value)


def union(intervals: Iterable[Interval]) -> Intervals:
    """Normal form of any intervals: overlapping and adjacent ones become one."""
    merged: list[Interval] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return tuple(merged)


def difference(minuend: Intervals, subtrahend: Intervals) -> Intervals:
    """Addresses of `minuend` that are not in `subtrahend`; both in normal form."""
    left: list[Interval] = []
    cut = 0
    for first, last in minuend:
        while cut < len(subtrahend) and subtrahend[cut][1] < first:
            cut += 1
        at, start = cut, first
        while at < len(subtrahend) and subtrahend[at][0] <= last:
            if subtrahend[at][0] > start:
                left.append((start, subtrahend[at][0] - 1))
            start = subtrahend[at][1] + 1
            at += 1
        if start <= last:
            left.append((start, last))
    return tuple(left)


def intersection(left: Intervals, right: Intervals) -> Intervals:
    """Addresses that are in both; both in normal form."""
    common: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        first, last = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if first <= last:
            common.append((first, last))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(common)


def prefixes(version: Version, intervals: Intervals) -> Iterator[Prefix]:
    """The fewest prefixes that hold exactly these intervals, in order."""
    for first, last in intervals:
        # the two calls differ only in the static type of their arguments
        if version == 4:
            yield from summarize_address_range(IPv4Address(first), IPv4Address(last))
        else:
            yield from summarize_address_range(IPv6Address(first), IPv6Address(last))


def by_length(version: Version, intervals: Intervals) -> dict[int, list[int]]:
    """The same fewest prefixes as their network addresses, by prefix length; quick enough for a million."""
    width = 32 if version == 4 else 128
    found: dict[int, list[int]] = {}
    for first, last in intervals:
        while first <= last:
            # as large as the alignment of its first address and what is left both allow
            size = min(first & -first or 1 << width, 1 << ((last - first + 1).bit_length() - 1))
            found.setdefault(width + 1 - size.bit_length(), []).append(first)
            first += size
    return found


@dataclass(frozen=True)
class AddressSet:
    """Addresses of both families, each in normal form. An empty set matches nothing."""

    v4: Intervals = field(default=())
    v6: Intervals = field(default=())

    @classmethod
    def of(cls, members: Iterable[Prefix | Address]) -> AddressSet:
        """The set of all addresses in the given prefixes and single addresses."""
        found: dict[int, list[Interval]] = {4: [], 6: []}
        for member in members:
            net = ip_network(member)
            found[net.version].append((int(net.network_address), int(net.broadcast_address)))
        return cls(union(found[4]), union(found[6]))

    def family(self, version: Version) -> Intervals:
        return self.v4 if version == 4 else self.v6

    def __bool__(self) -> bool:
        return bool(self.v4 or self.v6)

    def __contains__(self, member: Address) -> bool:
        value = int(member)
        return any(first <= value <= last for first, last in self.family(member.version))

    def __or__(self, other: AddressSet) -> AddressSet:
        return AddressSet(union(self.v4 + other.v4), union(self.v6 + other.v6))

    def __sub__(self, other: AddressSet) -> AddressSet:
        return AddressSet(difference(self.v4, other.v4), difference(self.v6, other.v6))

    def __and__(self, other: AddressSet) -> AddressSet:
        return AddressSet(intersection(self.v4, other.v4), intersection(self.v6, other.v6))

    def prefixes(self) -> list[Prefix]:
        """The fewest prefixes that hold exactly this set, IPv4 first."""
        return [*prefixes(4, self.v4), *prefixes(6, self.v6)]
