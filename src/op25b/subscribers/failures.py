"""Failures by key, in memory that is made before processes are forked and that they then share.

A key is kept as a keyed hash of 64 bits, and so is what was tried. Reading takes no lock; writing takes one that the
kernel frees if its holder is killed.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

_PROBES = 8


class Failures:
    """The last `each` failures of each key, within a window that slides.

    Of about `slots` keys: the one that failed longest ago makes room. Memory is taken as it is used, 16 octets a
    failure. `now`: seconds of a clock that only goes up and is the same in all processes. The lock is between
    processes: each keeps its own threads apart.
    """

    def __init__(self, slots: int, each: int, window_seconds: float) -> None:
        self._slots, self._each, self._window = slots, each, window_seconds
        self._secret = os.urandom(16)  # nobody can choose names whose keys fall together
        self._keys = memoryview(mmap.mmap(-1, slots * 8)).cast("Q")
        self._ends = memoryview(mmap.mmap(-1, slots * each * 8)).cast("d")
        self._marks = memoryview(mmap.mmap(-1, slots * each * 8)).cast("Q")
        self._lock = os.memfd_create("failures")

    def count(self, key: bytes, now: float) -> int:
        """How many there were within the window, `each` at most."""
        if (slot := self._find(number := self._hash(key))) is None:
            return 0
        found = sum(end > now for end in self._ends[self._of(slot)])
        return found if self._keys[slot] == number else 0  # it may have made room meanwhile

    def holds(self, key: bytes, mark: bytes, now: float) -> bool:
        """True if that was tried within the window, and failed."""
        if (slot := self._find(self._hash(key))) is None:
            return False
        wanted = self._hash(key + mark)
        tried = zip(self._ends[self._of(slot)], self._marks[self._of(slot)], strict=True)
        return any(end > now and found == wanted for end, found in tried)

    def add(self, key: bytes, mark: bytes, now: float) -> None:
        """One more; `mark` stands for what was tried."""
        number = self._hash(key)
        with self._locked():
            slot = self._find(number)
            if slot is None:
                slot = min(self._tried(number), key=lambda tried: max(self._ends[self._of(tried)]))
                self._clear(slot)
                self._keys[slot] = number
            at = min(range(self._of(slot).start, self._of(slot).stop), key=self._ends.__getitem__)
            self._marks[at] = self._hash(key + mark)
            self._ends[at] = now + self._window

    def forget(self, key: bytes) -> None:
        """The key starts anew."""
        number = self._hash(key)
        if self._find(number) is None:
            return
        with self._locked():
            if (slot := self._find(number)) is not None:
                self._clear(slot)

    def _find(self, number: int) -> int | None:
        return next((slot for slot in self._tried(number) if self._keys[slot] == number), None)

    def _tried(self, number: int) -> list[int]:
        return [(number + step) % self._slots for step in range(_PROBES)]

    def _of(self, slot: int) -> slice:
        return slice(slot * self._each, (slot + 1) * self._each)

    def _clear(self, slot: int) -> None:
        self._keys[slot] = 0
        for at in range(self._of(slot).start, self._of(slot).stop):
            self._ends[at] = 0.0

    def _hash(self, octets: bytes) -> int:
        return int.from_bytes(hashlib.blake2b(octets, digest_size=8, key=self._secret).digest(), "little") or 1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)
