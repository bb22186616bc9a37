"""What each source did between two looks at the kernel: the rows of its log records, and its counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import nlargest
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import pairwise

import numpy as np

from op25b.policy.intervals import Address
from op25b.watch.tally import Pairs

SOURCES = 20_000
"""Looked at together at most: a flood from forged addresses must not take hours. The least active are left out."""

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


def activities(
    pairs: Pairs, counted: Mapping[str, Mapping[Source, int]], end: int, most: int = SOURCES
) -> tuple[dict[Source, Activity], int]:
    """By source, the busiest of them; and how many others there were.

    `pairs` are sorted by source; `counted`: packets by source, by the set's name. What was counted and not logged was
    done at some time before `end`.
    """
    packets = dict[Source, list[int]]()
    for name, column in SEEN.items():
        for source, count in counted.get(name, {}).items():
            packets.setdefault(source, [0, 0])[column] += count
    sources, starts = np.unique(pairs.source, return_index=True)
    bounds = [*starts.tolist(), len(pairs)]
    rows = dict(zip(sources.tolist(), pairwise(bounds), strict=True))
    records = dict(zip(rows, np.add.reduceat(pairs.records, starts).tolist() if rows else (), strict=True))
    chosen = records.keys() | packets.keys()
    if len(chosen) > most:
        chosen = set(nlargest(most, chosen, lambda each: max(records.get(each, 0), sum(packets.get(each, ())))))
    found, nothing = dict[Source, Activity](), Pairs.none()
    for source in chosen:
        counts = packets.get(source, (0, 0))
        if source in rows:
            own = pairs.take(slice(*rows[source]))
            found[source] = Activity(int(own.first.min()), int(own.last.max()), own, *counts)
        else:
            found[source] = Activity(end, end, nothing, *counts)
    return found, len(records.keys() | packets.keys()) - len(found)
