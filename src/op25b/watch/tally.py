"""Log records by source and target, in bounded memory however many there are of either.

A batch of records becomes one row for each pair of source and target; rows of one pair are joined whenever there are
too many, and then the sources that did least are given up, and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from op25b.watch.hashing import mixed
from op25b.watch.nflog import Records

REPEATS_WITHIN = 60_000_000
"""Microseconds within which the same four-tuple is the same attempt: TCP repeats a SYN after 1, 2, 4 ... 32 seconds
(RFC 6298, 2 and 5.5), and in monitor mode the rest of the session follows."""
ROWS = 500_000
"""Pairs kept at most, some 30 MB."""
_SLOTS = 1 << 20


@dataclass(frozen=True)
class Pairs:
    """One row for each (source, target, monitored or refused); columns of one length.

    attempts: repetitions left out; records: all of them; first, last: microseconds since 1970.
    """

    source: NDArray[np.uint64]
    target: NDArray[np.uint64]
    monitored: NDArray[np.bool_]
    attempts: NDArray[np.int64]
    records: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source)

    @classmethod
    def none(cls) -> Self:
        """No pair at all."""
        longs = [np.zeros(0, np.int64) for _ in range(4)]
        return cls(np.zeros(0, np.uint64), np.zeros((0, 2), np.uint64), np.zeros(0, bool), *longs)

    def take(self, rows: NDArray[Any] | slice) -> Pairs:
        """Some of the rows."""
        return Pairs(*(getattr(self, name)[rows] for name in Pairs.__dataclass_fields__))


class Tally:
    """What was logged since it was last taken."""

    def __init__(self) -> None:
        self.given_up = 0
        """Sources that were left out for want of room, since the start: each time that it happened to them."""
        self._parts: list[Pairs] = []
        self._rows = 0
        # one place for each hash: one that is overwritten too early makes a repetition an attempt, and no more
        self._seen = np.zeros(_SLOTS, np.uint64)
        self._seen_at = np.zeros(_SLOTS, np.int64)

    def add(self, records: Records) -> None:
        """Take in a batch."""
        if not len(records):
            return
        monitored = np.array([" monitored " in f"{rule} " for rule in records.rules], bool)[records.rule]
        ones = np.ones(len(records), np.int64)
        attempts = self._new(records).astype(np.int64)
        part = Pairs(records.source, records.target, monitored, attempts, ones, records.at, records.at)
        self._parts.append(_joined([part]))
        self._rows += len(self._parts[-1])
        if self._rows > ROWS:
            self._parts = [self._bounded(_joined(self._parts))]
            self._rows = len(self._parts[0])

    def take(self) -> Pairs:
        """All pairs, sorted by source; from here on counting begins anew, but for what is a repetition."""
        parts, self._parts, self._rows = self._parts, [], 0
        found = self._bounded(_joined(parts))
        return found.take(np.argsort(found.source, kind="stable"))

    def _new(self, records: Records) -> NDArray[np.bool_]:
        """Which of the records are no repetition of an earlier one."""
        keys = mixed(records.source, records.target[:, 0], records.target[:, 1], records.from_port)
        slots = (keys >> np.uint64(44)).astype(np.int64)
        known = (self._seen[slots] == keys) & (np.abs(records.at - self._seen_at[slots]) < REPEATS_WITHIN)
        self._seen[slots], self._seen_at[slots] = keys, records.at
        first = np.zeros(len(keys), bool)
        first[np.unique(keys, return_index=True)[1]] = True
        new: NDArray[np.bool_] = first & ~known
        return new

    def _bounded(self, pairs: Pairs) -> Pairs:
        if len(pairs) <= ROWS // 2:
            return pairs
        sources, inverse = np.unique(pairs.source, return_inverse=True)
        records = np.bincount(inverse, pairs.records)
        rows = np.bincount(inverse)
        busiest = np.argsort(-records, kind="stable")
        kept = np.zeros(len(sources), bool)
        kept[busiest[np.cumsum(rows[busiest]) <= ROWS // 2]] = True
        kept[busiest[0]] = True
        self.given_up += int(len(sources) - kept.sum())
        return pairs.take(kept[inverse])


def _joined(parts: Sequence[Pairs]) -> Pairs:
    """One row for each pair."""
    if not parts:
        return Pairs.none()
    whole = Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in Pairs.__dataclass_fields__))
    keys = mixed(whole.source, whole.target[:, 0], whole.target[:, 1], whole.monitored)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
    if not len(starts):
        return whole
    rows = order[starts]
    return Pairs(
        whole.source[rows],
        whole.target[rows],
        whole.monitored[rows],
        np.add.reduceat(whole.attempts[order], starts),
        np.add.reduceat(whole.records[order], starts),
        np.minimum.reduceat(whole.first[order], starts),
        np.maximum.reduceat(whole.last[order], starts),
    )
