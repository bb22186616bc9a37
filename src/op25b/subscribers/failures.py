"""Failures by key, in memory that is made before processes are forked and that they then share.

A key is kept as a keyed hash of 64 bits, and so is what was tried. Reading takes no lock; writing takes one that the
kernel frees if its holder is killed.
"""

from __future__ import annotations

from op25b.processes.memory import Fingerprints, Lock, cells

_PROBES = 8


class Failures:
    """The last `each` failures of each key, within a window that slides.

    Of about `slots` keys: the one that failed longest ago makes room. Memory is taken as it is used, 16 octets a
    failure. `now`: seconds of a clock that only goes up and is the same in all processes. The lock is between
    processes: each keeps its own threads apart.
    """

    def __init__(self, slots: int, each: int, window_seconds: float) -> None:
        self._slots, self._each, self._window = slots, each, window_seconds
        self._hash = Fingerprints().of
        self._keys = cells(slots, "Q")
        self._ends = cells(slots * each, "d")
        self._marks = cells(slots * each, "Q")
        self._lock = Lock()

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
        with self._lock:
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
        with self._lock:
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
