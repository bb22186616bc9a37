"""What one subscriber, or an address that nobody is known to hold, did on port 25, in bounded memory.

Attempts come from the kernel's counters, which count every packet; targets and times come from the log, which may be
a sample. Instants are microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from op25b.policy.intervals import Address
from op25b.watch.activity import Activity, address
from op25b.watch.hashing import Distinct, mixed

TARGETS = 64
"""Targets of which each try is followed: the first ones."""
EARLY = 6
"""Waits at a target that tell whether they grow; later ones stay at a queue's longest."""
MINUTE, HOUR = 60_000_000, 3_600_000_000
_LONGER, _ALIKE = 1.2, 0.2


@dataclass(frozen=True)
class Terms:
    """How to read activity. `is_night` and `is_own` are asked of an instant, and of a target's address."""

    return_after: int
    patience: int
    is_night: Callable[[int], bool]
    is_own: Callable[[Address], bool]


@dataclass(slots=True)
class Target:
    """The tries at one target. `waits` and `wait` (the last one): between two tries that are no repetition."""

    first: int
    last: int
    attempts: int = 0
    waits: int = 0
    wait: int = 0


@dataclass(frozen=True)
class Figures:
    """What is known of a pattern at an instant. Shares are None while there is nothing to take them of.

    attempts: connections, of which `refused` and `monitored` in the counters' packets; `attempts_exact`: none was
    computed from a sample; seen: attempts that were logged, with their targets; busiest_hour: distinct targets within
    one; returned: the share of the `watched` targets that were tried again; growing, regular: shares of the waits.
    """

    first: int
    last: int
    attempts: int
    attempts_exact: bool
    packets_refused: int
    packets_monitored: int
    seen: int
    targets: int
    targets_exact: bool
    networks: int
    busiest_hour: int
    active_minutes: int
    watched: int
    returned: float | None
    waits: int
    regular: float | None
    early_waits: int
    growing: float | None
    night: float | None
    own: float | None


@dataclass(slots=True)
class Pattern:
    """All activity of one subject so far; `first` and `last` are of the activity."""

    first: int
    last: int
    refused: int = 0
    monitored: int = 0
    records: int = 0
    attempts: int = 0
    night: int = 0
    own: int = 0
    minutes: int = 0
    minute: int = -1
    hour: int = -1
    busiest: int = 0
    compared: int = 0
    regular: int = 0
    early: int = 0
    grew: int = 0
    tried: dict[str, Target] = field(default_factory=dict)
    targets: Distinct = field(default_factory=Distinct)
    networks: Distinct = field(default_factory=Distinct)
    of_hour: Distinct = field(default_factory=Distinct)

    def add(self, activity: Activity, terms: Terms) -> None:
        """Take in what was done since the last time."""
        self.first, self.last = min(self.first, activity.first), max(self.last, activity.last)
        self.refused += activity.refused
        self.monitored += activity.monitored
        self._minutes(activity)
        pairs = activity.pairs
        if not len(pairs):
            return
        attempts = int(pairs.attempts.sum())
        self.attempts += attempts
        self.records += int(pairs.records.sum())
        self.night += attempts * terms.is_night(activity.last)
        keys = mixed(pairs.target[:, 0], pairs.target[:, 1]).tolist()
        self.targets.add(keys)
        self.networks.add(mixed(*_networks(pairs.target)).tolist())
        self._hour(activity.last // HOUR, keys)
        for number in np.argsort(pairs.first, kind="stable").tolist():
            target = address(*pairs.target[number].tolist())
            count = int(pairs.attempts[number])
            self.own += count * terms.is_own(target)
            self._try(str(target), count, int(pairs.first[number]), int(pairs.last[number]), terms.return_after)

    def figures(self, at: int, terms: Terms) -> Figures:
        """What is known at an instant."""
        packets = self.refused + self.monitored
        sampled = packets > self.records
        attempts = (round(self.attempts * packets / self.records) if self.records else packets) if sampled else 0
        watched = [target for target in self.tried.values() if at - target.first >= terms.patience]
        return Figures(
            first=self.first,
            last=self.last,
            attempts=max(attempts, self.attempts),
            attempts_exact=not sampled,
            packets_refused=self.refused,
            packets_monitored=self.monitored,
            seen=self.attempts,
            targets=self.targets.count,
            targets_exact=self.targets.exact and not sampled,
            networks=self.networks.count,
            busiest_hour=self.busiest,
            active_minutes=self.minutes,
            watched=len(watched),
            returned=_share(sum(target.waits > 0 for target in watched), len(watched)),
            waits=self.compared,
            regular=_share(self.regular, self.compared),
            early_waits=self.early,
            growing=_share(self.grew, self.early),
            night=_share(self.night, self.attempts),
            own=_share(self.own, self.attempts),
        )

    def _minutes(self, activity: Activity) -> None:
        for minute in sorted({activity.first // MINUTE, activity.last // MINUTE}):
            if minute > self.minute:
                self.minutes, self.minute = self.minutes + 1, minute

    def _hour(self, hour: int, keys: list[int]) -> None:
        if hour != self.hour:
            self.hour, self.of_hour = hour, Distinct()
        self.of_hour.add(keys)
        self.busiest = max(self.busiest, self.of_hour.count)

    def _try(self, address: str, attempts: int, first: int, last: int, return_after: int) -> None:
        target = self.tried.get(address)
        if target is None:
            if len(self.tried) < TARGETS:
                self.tried[address] = Target(first, last, attempts)
            return
        target.attempts += attempts
        wait = first - target.last
        target.last = max(target.last, last)
        if wait < return_after:
            return
        if target.waits:
            self.compared += 1
            self.regular += abs(wait - target.wait) <= _ALIKE * target.wait
            if target.waits < EARLY:
                self.early += 1
                self.grew += wait >= _LONGER * target.wait
        target.waits, target.wait = target.waits + 1, wait

    def stored(self) -> dict[str, Any]:
        """As JSON, to go on from after a restart."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        tried = {address: asdict(target) for address, target in self.tried.items()}
        sets = {name: value.smallest for name, value in values.items() if isinstance(value, Distinct)}
        return {**values, **sets, "tried": tried}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """What `stored` gave."""
        found = dict(stored)
        for name in ("targets", "networks", "of_hour"):
            found[name] = Distinct(found[name])
        found["tried"] = {address: Target(**target) for address, target in found["tried"].items()}
        return cls(**found)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None


def _networks(target: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The /24 of IPv4, the /48 of IPv6: what one operator uses as a rule."""
    high, low = target[:, 0], target[:, 1]
    is_four = (high == 0) & (low >> np.uint64(32) == np.uint64(0xFFFF))
    return high & np.uint64(~0xFFFF & (1 << 64) - 1), np.where(is_four, low & np.uint64(~0xFF & (1 << 64) - 1), 0)
