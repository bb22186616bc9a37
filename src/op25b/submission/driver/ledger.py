"""Who did how much lately: counts that all workers share, in memory made before they are forked.

Each worker writes to its own cells and reads everybody's, so that counting takes no lock; only making room for a new
key does, a lock that the kernel frees if its holder is killed. A count that is lost in a race is one count.

A key has a slot; a slot has, for each worker, the present connections and for each `Counter` the count of this period
and the one before. How much came "within the last hour" is the count of this period and the share of the one before
that the last hour still overlaps.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

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
_PROBES = 8


class Ledger:
    """Counts by key (any bytes), for so many workers and keys; the least used key makes room for a new one."""

    def __init__(self, workers: int, slots: int = 65536) -> None:
        self._workers = workers
        self._slots = slots
        self._secret = os.urandom(16)  # nobody can choose addresses whose keys fall together
        self._keys = memoryview(mmap.mmap(-1, slots * 8)).cast("Q")
        self._used = memoryview(mmap.mmap(-1, slots * 4)).cast("I")
        self._cells = memoryview(mmap.mmap(-1, slots * workers * _CELL * 4)).cast("I")
        self._lock = os.memfd_create("ledger")

    def view(self, worker: int) -> View:
        """What one worker works with, after the fork."""
        return View(self, worker)

    def forget(self, worker: int) -> None:
        """The worker is dead: its connections are gone. Its other counts stay."""
        for slot in range(self._slots):
            if self._keys[slot]:
                self._cells[self.cell(slot, worker)] = 0

    def cell(self, slot: int, worker: int) -> int:
        return (slot * self._workers + worker) * _CELL

    def cells(self, slot: int) -> range:
        """The first field of each worker's cell."""
        return range(self.cell(slot, 0), self.cell(slot + 1, 0), _CELL)

    def fingerprint(self, key: bytes) -> int:
        return int.from_bytes(hashlib.blake2b(key, digest_size=8, key=self._secret).digest(), "little") or 1

    def find(self, fingerprint: int, now: float) -> int:
        """The slot of a key, made if it has none."""
        tried = [(fingerprint + step) % self._slots for step in range(_PROBES)]
        with self._locked():
            for slot in tried:
                if self._keys[slot] == fingerprint:
                    return slot
            slot = min(tried, key=self._value)
            self._keys[slot] = fingerprint
            self._used[slot] = int(now)
            first = self.cell(slot, 0)
            for field in range(first, first + self._workers * _CELL):
                self._cells[field] = 0
        return slot

    def holds(self, slot: int, fingerprint: int) -> bool:
        return self._keys[slot] == fingerprint

    def touch(self, slot: int, now: float) -> None:
        self._used[slot] = int(now)

    @property
    def fields(self) -> memoryview[int]:
        return self._cells

    def _value(self, slot: int) -> tuple[bool, bool, int]:
        taken = self._keys[slot] != 0
        return taken, taken and any(self._cells[cell] for cell in self.cells(slot)), self._used[slot]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)


class View:
    """One worker's way into the ledger. `now` is a monotonic clock that all workers share, in seconds."""

    def __init__(self, ledger: Ledger, worker: int) -> None:
        self._ledger = ledger
        self._worker = worker
        self._fields = ledger.fields
        self._known: dict[bytes, tuple[int, int]] = {}

    def connected(self, key: bytes, now: float) -> int:
        """Counts one more connection; returns how many there are now, this one included."""
        slot = self._slot(key, now)
        self._fields[self._ledger.cell(slot, self._worker)] += 1
        return sum(self._fields[cell] for cell in self._ledger.cells(slot))

    def disconnected(self, key: bytes, now: float) -> None:
        """Counts one connection less."""
        cell = self._ledger.cell(self._slot(key, now), self._worker)
        if self._fields[cell]:  # 0 if the key had to make room meanwhile
            self._fields[cell] -= 1

    def add(self, key: bytes, counter: Counter, count: int, now: float) -> None:
        """Counts `count` more."""
        fields, period = self._fields, int(now / _PERIODS[counter])
        at = self._ledger.cell(self._slot(key, now), self._worker) + 1 + 3 * counter
        if fields[at] != period:
            fields[at + 2] = fields[at + 1] if fields[at] == period - 1 else 0
            fields[at + 1] = 0
            fields[at] = period
        fields[at + 1] += count

    def lately(self, key: bytes, counter: Counter, now: float) -> float:
        """How many came within the counter's period that ends now, by all workers' counts."""
        fields, turns = self._fields, now / _PERIODS[counter]
        period = int(turns)
        left = 1 - (turns - period)
        found = 0.0
        for cell in self._ledger.cells(self._slot(key, now)):
            at = cell + 1 + 3 * counter
            if fields[at] == period:
                found += fields[at + 1] + fields[at + 2] * left
            elif fields[at] == period - 1:
                found += fields[at + 1] * left
        return found

    def _slot(self, key: bytes, now: float) -> int:
        slot, fingerprint = self._known.get(key, (-1, 0))
        if slot < 0 or not self._ledger.holds(slot, fingerprint):
            if len(self._known) > 100_000:
                self._known.clear()
            fingerprint = self._ledger.fingerprint(key)
            slot = self._ledger.find(fingerprint, now)
            self._known[key] = slot, fingerprint
        self._ledger.touch(slot, now)
        return slot
