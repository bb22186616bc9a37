"""What the relay has done, and how it stands, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from op25b.submission.relay.destination import Destination
from op25b.submission.relay.outcome import Outcome, Result

BY_MX = "mx"
"""Stands for all destinations that were not configured: their names are without number."""


@dataclass(slots=True)
class Tally:
    """Since the relay began. `replies`: of next hops about recipients, by their first digit; 0: there was none."""

    results: Counter[Result] = field(default_factory=Counter)
    replies: Counter[int] = field(default_factory=Counter)
    reports: int = 0
    connected: int = 0
    unreachable: int = 0

    def count(self, outcome: Outcome) -> None:
        self.results[outcome.result] += 1
        self.replies[(outcome.code or 0) // 100] += 1


@dataclass(frozen=True, slots=True)
class NextHopFigures:
    """Of a next hop that was configured, or of all others together. `waiting`: messages that wait for a connection."""

    destinations: int = 0
    failing: int = 0
    waiting: int = 0
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """At an instant. `oldest`: when the oldest message that waits came."""

    messages: int
    held: int
    recipients_under_way: int
    oldest: datetime | None
    connections: int
    next_hops: Mapping[str, NextHopFigures]


def by_next_hop(destinations: Iterable[Destination]) -> dict[str, NextHopFigures]:
    """Bounded by what is configured."""
    sums: dict[str, list[int]] = {}
    for each in destinations:
        name = f"{each.place.hop.host}:{each.place.hop.port}" if each.place.hop else BY_MX
        numbers = (1, int(each.down), each.waiting, each.connections)
        sums[name] = [a + b for a, b in zip(sums.get(name, [0] * 4), numbers, strict=True)]
    return {name: NextHopFigures(*numbers) for name, numbers in sums.items()}
