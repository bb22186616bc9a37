"""What each source did between two looks at the kernel: the rows of its log records, and its counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import numpy as np

from op25b.policy.intervals import Address
from op25b.watch.tally import Pairs

Source = int
"""An IPv4 address, or the upper half of an IPv6 one (2**32 or more: nobody sends from ::/32)."""
SEEN = {"refused4": 0, "refused6": 0, "monitored4": 1, "monitored6": 1}
"""The kernel's sets of sources, and where their packets are counted: refused, monitored."""


@dataclass(frozen=True)
class Activity:
    """One source's. `refused`, `monitored`: packets that the kernel counted; first, last: microseconds since 1970."""

    first: int
    last: int
    pairs: Pairs
    refused: int = 0
    monitored: int = 0


def source_of(found: Address) -> Source:
    """The source as which an address counts."""
    return int(found) if found.version == 4 else int(found) >> 64


def prefix_of(source: Source) -> IPv4Network | IPv6Network:
    """The address of a source, or its /64."""
    return IPv4Network(source) if source < 1 << 32 else IPv6Network((source << 64, 64))


def address(high: int, low: int) -> Address:
    """A target as Pairs have it: IPv6, or IPv4 mapped into it."""
    if not high and low >> 32 == 0xFFFF:
        return IPv4Address(low & 0xFFFFFFFF)
    return IPv6Address(high << 64 | low)


def activities(pairs: Pairs, counted: Mapping[str, Mapping[Source, int]], end: int) -> dict[Source, Activity]:
    """By source. `pairs` are sorted by source; `counted`: packets by source, by the set's name.

    What was counted and not logged was done at some time before `end`.
    """
    packets = dict[Source, list[int]]()
    for name, column in SEEN.items():
        for source, count in counted.get(name, {}).items():
            packets.setdefault(source, [0, 0])[column] += count
    found = dict[Source, Activity]()
    sources, starts = np.unique(pairs.source, return_index=True)
    bounds = [*starts.tolist(), len(pairs)]
    for source, start, stop in zip(sources.tolist(), bounds, bounds[1:], strict=False):
        rows = pairs.take(slice(start, stop))
        found[source] = Activity(int(rows.first.min()), int(rows.last.max()), rows, *packets.pop(source, (0, 0)))
    nothing = Pairs.none()
    return found | {source: Activity(end, end, nothing, *counts) for source, counts in packets.items()}
