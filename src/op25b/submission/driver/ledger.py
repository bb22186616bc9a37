"""Who did how much lately: counts that all workers share, in memory made before they are forked.

Each worker writes to its own cells and reads everybody's, so that counting takes no lock; only making room for a new
key does, a lock that the kernel frees if its holder is killed. A count that is lost in a race is one count.

A key has a slot; a slot has, for each worker, the present connections and for each `Counter` the count of this period
and the one before. How much came "within the last hour" is the count of this period and the share of the one before
that the last hour still overlaps.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from op25b.processes.memory import Fingerprints, Lock, cells

HOUR = 3600.0
DAY = 24 * HOUR


class Counter(IntEnum):
    """What is counted, by the period that it is counted in."""

    MESSAGES_HOUR = 0
    MESSAGES_DAY = 1
    RECIPIENTS_HOUR = 2
    RECIPIENTS_DAY = 3
    REJECTED_HOUR = 4
    RECIPIENTS_BURST = 5
    NETWORKS_HOUR = 6
    BURSTS = 7

    @property
    def period(self) -> float:
        """Seconds."""
        return _PERIODS[self]


_PERIODS = (HOUR, DAY, HOUR, DAY, HOUR, 600.0, HOUR, HOUR)
_CELL = 1 + 3 * len(Counter)
_FIELDS = tuple(1 + 3 * counter for counter in range(len(Counter)))
_PROBES = 8


class Ledger:
    """Counts by key (any bytes), for so many workers and keys; the least used key makes room for a new one."""

    def __init__(self, workers: int, slots: int = 65536) -> None:
        self._workers = workers
        self._slots = slots
        self.fingerprint = Fingerprints().of
        self.keys = cells(slots, "Q")
        self.used = cells(slots, "I")
        self.fields = cells(slots * workers * _CELL, "I")
        self._lock = Lock()

    def view(self, worker: int) -> View:
        """What one worker works with, after the fork."""
        return View(self, worker)

    def forget(self, worker: int) -> None:
        """The worker is dead: its connections are gone. Its other counts stay."""
        for slot in range(self._slots):
            if self.keys[slot]:
                self.fields[self.cell(slot, worker)] = 0

    def cell(self, slot: int, worker: int) -> int:
        return (slot * self._workers + worker) * _CELL

    def cells(self, slot: int) -> range:
        """The first field of each worker's cell."""
        return range(self.cell(slot, 0), self.cell(slot + 1, 0), _CELL)

    def find(self, fingerprint: int, now: float) -> int:
        """The slot of a key, made if it has none."""
        tried = [(fingerprint + step) % self._slots for step in range(_PROBES)]
        with self._lock:
            for slot in tried:
                if self.keys[slot] == fingerprint:
                    return slot
            slot = min(tried, key=self._value)
            self.keys[slot] = fingerprint
            self.used[slot] = int(now)
            first = self.cell(slot, 0)
            for field in range(first, first + self._workers * _CELL):
                self.fields[field] = 0
        return slot

    def _value(self, slot: int) -> tuple[bool, bool, int]:
        taken = self.keys[slot] != 0
        return taken, taken and any(self.fields[cell] for cell in self.cells(slot)), self.used[slot]


class Place(NamedTuple):
    """Where a key is counted. `mine` and `cells`: the first field of one's own cell, and of each worker's."""

    slot: int
    fingerprint: int
    mine: int
    cells: tuple[int, ...]


class View:
    """One worker's way into the ledger. `now` is a monotonic clock that all workers share, in seconds."""

    def __init__(self, ledger: Ledger, worker: int) -> None:
        self._ledger = ledger
        self._worker = worker
        self._fields = ledger.fields
        self._known: dict[bytes, Place] = {}
        self._second = -1
        self._turns: list[tuple[int, float]] = []
        """Of each counter in this second: the number of its period, and how much of the one before still counts."""

    def connected(self, key: bytes, now: float) -> int:
        """Counts one more connection; returns how many there are now, this one included."""
        place = self._place(key, now)
        self._fields[place.mine] += 1
        return sum([self._fields[cell] for cell in place.cells])

    def disconnected(self, key: bytes, now: float) -> None:
        """Counts one connection less."""
        mine = self._place(key, now).mine
        if self._fields[mine]:  # 0 if the key had to make room meanwhile
            self._fields[mine] -= 1

    def add(self, key: bytes, counter: Counter, count: int, now: float) -> None:
        """Counts `count` more."""
        self.add_all(key, ((counter, count),), now)

    def add_all(self, key: bytes, counts: Iterable[tuple[Counter, int]], now: float) -> None:
        """Counts several things of one key."""
        fields, mine = self._fields, self._place(key, now).mine
        for counter, count in counts:
            period, at = self._turns[counter][0], mine + _FIELDS[counter]
            if fields[at] != period:
                fields[at + 2] = fields[at + 1] if fields[at] == period - 1 else 0
                fields[at + 1] = 0
                fields[at] = period
            fields[at + 1] += count

    def lately(self, key: bytes, counter: Counter, now: float) -> float:
        """How many came within the counter's period that ends now, by all workers' counts."""
        return self.lately_all(key, (counter,), now)[0]

    def lately_all(self, key: bytes, counters: Iterable[Counter], now: float) -> list[float]:
        """`lately` of several counters of one key."""
        fields, cells = self._fields, self._place(key, now).cells
        counts = []
        for counter in counters:
            (period, left), field = self._turns[counter], _FIELDS[counter]
            found = 0.0
            for cell in cells:
                at = cell + field
                if (counted := fields[at]) == period:
                    found += fields[at + 1] + fields[at + 2] * left
                elif counted == period - 1:
                    found += fields[at + 1] * left
            counts.append(found)
        return counts

    def _place(self, key: bytes, now: float) -> Place:
        ledger, second = self._ledger, int(now)
        if second != self._second:
            self._second = second
            self._turns = [(int(second / period), 1 - second / period % 1) for period in _PERIODS]
        place = self._known.get(key)
        if place is None or ledger.keys[place.slot] != place.fingerprint:
            if len(self._known) > 100_000:
                self._known.clear()
            fingerprint = ledger.fingerprint(key)
            slot = ledger.find(fingerprint, now)
            place = Place(slot, fingerprint, ledger.cell(slot, self._worker), tuple(ledger.cells(slot)))
            self._known[key] = place
        if ledger.used[place.slot] != second:
            ledger.used[place.slot] = second
        return place
