"""The verdict over columns of flows: NumPy finds the places, `Judge.decide` decides once for each pair that occurs.

Columns of IPv4 flows are `uint32`; an IPv6 column is a pair of `uint64` arrays (high half, low half), so that no
Python object is made for an address. Instants are `int64` microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from op25b.policy import scope
from op25b.policy.model import Exemption, Phase
from op25b.policy.places import Boundaries, Place
from op25b.policy.reasons import Reason
from op25b.policy.verdict import SMTP, TCP, Judge, Outcome, built_in

Array = npt.NDArray[np.generic]
UInt32 = npt.NDArray[np.uint32]
UInt64 = npt.NDArray[np.uint64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Column4 = UInt32
Column6 = tuple[UInt64, UInt64]
C = TypeVar("C", Column4, Column6)
Take = Callable[[slice, Int64 | slice], C]

CHUNK = 1 << 16
"""Rows worked on at a time: the temporaries stay in the processor's cache."""
DENSE = 1 << 24
"""Cases (pairs of places, in each epoch) for which a table is kept; beyond that, rows are sorted instead."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """An instant as this module counts it; `at` carries an offset."""
    return (at - _EPOCH) // timedelta(microseconds=1)


class Search4:
    """Which place an IPv4 address is in: a table by the upper 16 bits, a binary search only where one splits."""

    def __init__(self, table: Boundaries) -> None:
        self.starts = np.array(table.starts, np.uint32)
        self.numbers = np.array(table.numbers, np.int32)
        first = np.arange(1 << 16, dtype=np.uint32) << 16
        at_first = np.searchsorted(self.starts, first, "right") - 1
        at_last = np.searchsorted(self.starts, first | np.uint32(0xFFFF), "right") - 1
        self.by_upper = np.where(at_first == at_last, self.numbers[at_first], -1).astype(np.int32)

    def __call__(self, column: Column4) -> Int32:
        found: Int32 = self.by_upper[column >> np.uint32(16)]
        split = np.flatnonzero(found < 0)
        if split.size:
            found[split] = self.numbers[np.searchsorted(self.starts, column[split], "right") - 1]
        return found


class Search6:
    """The same for IPv6: by the upper 64 bits, then by the lower 64 only where a boundary lies inside a /64."""

    def __init__(self, table: Boundaries) -> None:
        self.high = np.array([start >> 64 for start in table.starts], np.uint64)
        self.low = np.array([start & (2**64 - 1) for start in table.starts], np.uint64)
        self.numbers = np.array(table.numbers, np.int32)

    def __call__(self, column: Column6) -> Int32:
        high, low = column
        last = np.searchsorted(self.high, high, "right") - 1
        split = np.flatnonzero((self.high[last] == high) & (self.low[last] > low))
        if split.size:
            # among the boundaries with this upper half (and the one before them), the last not above the address
            below = np.searchsorted(self.high, high[split], "left") - 1
            above = last[split]
            wanted = low[split]
            while np.any(above - below > 1):
                middle = (above + below) // 2
                over = self.low[middle] > wanted
                above = np.where(over, middle, above)
                below = np.where(over, below, middle)
            last[split] = below
        found: Int32 = self.numbers[last]
        return found


class SearchTime:
    """In which epoch an instant is: a table by equal spans of time, a binary search only where one splits."""

    def __init__(self, starts: Int64) -> None:
        self.starts = starts
        self.first = starts[0] if len(starts) else np.int64(0)
        span = int(starts[-1] - starts[0]) if len(starts) else 0
        self.shift = max(0, span.bit_length() - 14)
        slots = self.first + (np.arange((span >> self.shift) + 1, dtype=np.int64) << self.shift)
        at_first = np.searchsorted(starts, slots, "right")
        at_last = np.searchsorted(starts, slots + (1 << self.shift) - 1, "right")
        self.by_slot = np.concatenate(([0], np.where(at_first == at_last, at_first, -1), [len(starts)]))

    def __call__(self, column: Int64) -> Int64:
        slot = np.clip(((column - self.first) >> self.shift) + 1, 0, len(self.by_slot) - 1)
        found: Int64 = self.by_slot[slot]
        split = np.flatnonzero(found < 0)
        if split.size:
            found[split] = np.searchsorted(self.starts, column[split], "right")
        return found


@dataclass
class BatchJudge:
    """A `Judge` for columns. `outcomes` is the list that the numbers in an answer point into; it only grows."""

    judge: Judge

    def __post_init__(self) -> None:
        self.outcomes: list[Outcome] = [built_in(Reason.NOT_PORT_25), built_in(Reason.INBOUND)]
        self._number = {outcome: i for i, outcome in enumerate(self.outcomes)}
        # nothing changes between two of these, an epoch, so the first stands for all
        self._moments = [datetime.min.replace(tzinfo=UTC), *sorted(scope.moments(self.judge.policy))]
        self._epoch = SearchTime(np.array([microseconds(moment) for moment in self._moments[1:]], np.int64))
        self._width = len(self.judge.destinations.known)
        size = len(self.judge.sources.known) * self._width * len(self._moments)
        self._table = np.full(size, -1, np.int32) if size <= DENSE else None
        self._asked: dict[int, int] = {}
        self._search4 = (Search4(self.judge.sources.v4), Search4(self.judge.destinations.v4))
        self._search6 = (Search6(self.judge.sources.v6), Search6(self.judge.destinations.v6))
        self._customer = np.array([place.pool >= 0 for place in self.judge.sources.known])

    def v4(
        self,
        src: Column4,
        dst: Column4,
        dport: Array,
        at: Int64,
        sport: Array | None = None,
        proto: Array | None = None,
    ) -> Int32:
        """Numbers of the outcomes of IPv4 flows, in order. All columns have the same length, `at` may have length 1.

        `sport` None: not known, as for a `Flow`. `proto` None: all TCP.
        """
        take = partial(_take4, src), partial(_take4, dst)
        return self._judge(len(src), take, self._search4, dport, at, sport, proto)

    def v6(
        self,
        src: Column6,
        dst: Column6,
        dport: Array,
        at: Int64,
        sport: Array | None = None,
        proto: Array | None = None,
    ) -> Int32:
        """The same for IPv6 flows."""
        take = partial(_take6, src), partial(_take6, dst)
        return self._judge(len(src[0]), take, self._search6, dport, at, sport, proto)

    def _judge(
        self,
        length: int,
        take: tuple[Take[C], Take[C]],
        search: tuple[Callable[[C], Int32], Callable[[C], Int32]],
        dport: Array,
        at: Int64,
        sport: Array | None,
        proto: Array | None,
    ) -> Int32:
        """A chunk at a time: the port test, the places of source and destination, and what follows from them."""
        answer = np.zeros(length, np.int32)
        for rows in _chunks(length):
            at_25, answers = _port_test(rows, dport, sport, proto)
            answers = answers[self._customer[search[0](take[0](rows, answers))]]
            answer[rows][answers] = 1
            source, destination = search[0](take[0](rows, at_25)), search[1](take[1](rows, at_25))
            answer[rows][at_25] = self._decide(source, destination, _instants(at, rows, at_25))
        return answer

    def _decide(self, source: Int32, destination: Int32, at: Int64) -> Int32:
        """In an epoch the outcome follows from the pair of places: decide each such case once, and look it up."""
        pairs = source.astype(np.int64) * self._width + destination
        keys: Int64 = pairs * len(self._moments) + self._epoch(at)
        if self._table is None:
            distinct, where = np.unique(keys, return_inverse=True)
            numbers: Int32 = np.array([self._ask(key) for key in distinct.tolist()], np.int32)
            return numbers[where]
        answer: Int32 = self._table[keys]
        unknown = keys[answer < 0]
        if unknown.size:
            for key in np.unique(unknown).tolist():
                if self._table[key] < 0:
                    self._fill(self._table, key)
            answer = self._table[keys]
        return answer

    def _fill(self, table: Int32, key: int) -> None:
        """Decide one case; the outcome holds in all epochs around it until something that concerns the pair turns."""
        pair, epoch = divmod(key, len(self._moments))
        source, destination = self._places(pair)
        concerned: list[Phase | Exemption] = list(self.judge.phases_of[source.pool]) if source.pool >= 0 else []
        concerned += [self.judge.policy.exemptions[n] for n in (*source.exemptions, *destination.exemptions)]
        moments = (moment for each in concerned for moment in (each.from_, each.until) if moment is not None)
        turns = [bisect_left(self._moments, moment) for moment in moments]
        first = max((turn for turn in turns if turn <= epoch), default=0)
        end = min((turn for turn in turns if turn > epoch), default=len(self._moments))
        start = pair * len(self._moments)
        table[start + first : start + end] = self._ask(key)

    def _ask(self, key: int) -> int:
        """The number of the outcome of one case."""
        if key not in self._asked:
            pair, epoch = divmod(key, len(self._moments))
            outcome = self.judge.decide(*self._places(pair), self._moments[epoch])
            if outcome not in self._number:
                self._number[outcome] = len(self.outcomes)
                self.outcomes.append(outcome)
            self._asked[key] = self._number[outcome]
        return self._asked[key]

    def _places(self, pair: int) -> tuple[Place, Place]:
        source, destination = divmod(pair, self._width)
        return self.judge.sources.known[source], self.judge.destinations.known[destination]


def _chunks(length: int) -> list[slice]:
    return [slice(start, min(start + CHUNK, length)) for start in range(0, length, CHUNK)]


def _take4(column: Column4, rows: slice, where: Int64 | slice) -> Column4:
    return column[rows][where]


def _take6(column: Column6, rows: slice, where: Int64 | slice) -> Column6:
    return column[0][rows][where], column[1][rows][where]


def _instants(at: Int64, rows: slice, where: Int64 | slice) -> Int64:
    return at if len(at) == 1 else at[rows][where]


def _port_test(rows: slice, dport: Array, sport: Array | None, proto: Array | None) -> tuple[Int64 | slice, Int64]:
    """Rows of the chunk that are TCP to port 25, and rows that are TCP from port 25 to another port."""
    to_25 = dport[rows] == SMTP
    tcp = None if proto is None else proto[rows] == TCP
    wanted = to_25 if tcp is None else to_25 & tcp
    # all of them: a slice makes views where an index would copy
    at_25: Int64 | slice = slice(None) if wanted.all() else np.flatnonzero(wanted)
    if sport is None:
        return at_25, np.empty(0, np.int64)
    from_25 = (sport[rows] == SMTP) & ~to_25
    return at_25, np.flatnonzero(from_25 if tcp is None else from_25 & tcp)
