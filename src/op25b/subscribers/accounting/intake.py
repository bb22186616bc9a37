"""Facts on their way: into the store, then to the filter, then acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from op25b.processes.board import Meters
from op25b.processes.commit import Done, GroupCommit
from op25b.subscribers.accounting.complaints import Complaints
from op25b.subscribers.accounting.numbers import Counted
from op25b.subscribers.leases import Fact, Merged

MOST = 20_000
"""Facts that wait at once; those beyond are not answered, and come again."""
FAILING_SECONDS = 10.0


class Full(Exception):
    """Too many wait already."""


Merge = Callable[[Sequence[Fact], datetime], Merged]
Wall = Callable[[], float]
"""Seconds since 1970."""


class Intake:
    """Puts facts into the store in groups, one transaction each, in a thread of its own.

    `merge` puts a group into the store, or raises and has put in nothing of it (`Leases.merge`). `after` is told what
    came of it, once it is committed, and returns when the filter has it; whatever `after` raises, the group counts as
    taken: the store has it, and whoever follows the store finds it there.
    """

    def __init__(
        self,
        merge: Merge,
        after: Callable[[Merged], None],
        meters: Meters,
        complaints: Complaints,
        wall: Wall,
    ) -> None:
        self._merge, self._after, self._meters, self._complaints = merge, after, meters, complaints
        self._wall = wall
        self._group: GroupCommit[Fact] = GroupCommit(self._write, "leases")
        self._waiting = 0
        self._failed_at = float("-inf")

    def submit(self, fact: Fact, done: Done) -> None:
        """`done` is called once the fact is in the store and the filter knows of it, or with what kept it out.

        Raises Full.
        """
        if self._waiting >= MOST:
            self._meters.add(Counted.OVERFLOWED)
            raise Full
        self._waiting += 1
        self._meters.set(Counted.WAITING, self._waiting)
        self._group.submit(fact, lambda error: self._settled(done, error))

    @property
    def failing(self) -> bool:
        """Whether the store did not take the last group, unless that is so long ago that another should be tried."""
        return abs(self._wall() - self._failed_at) < FAILING_SECONDS

    async def close(self) -> None:
        """Waits for all that was submitted before."""
        await self._group.close()

    def _settled(self, done: Done, error: BaseException | None) -> None:
        self._waiting -= 1
        self._meters.set(Counted.WAITING, self._waiting)
        self._meters.add(Counted.REPORTS if error is None else Counted.STORE_FAILED)
        done(error)

    def _write(self, facts: list[Fact]) -> None:
        """In the thread."""
        began = time.monotonic_ns()
        try:
            merged = self._merge(facts, datetime.fromtimestamp(self._wall(), UTC))
        except Exception as error:
            self._failed_at = self._wall()
            self._complaints.about("store", "the store took no reports", reason=str(error))
            raise
        self._failed_at = float("-inf")
        try:
            self._after(merged)
        except Exception as error:
            self._meters.add(Counted.FILTER_FAILED)
            self._complaints.about("filter", "the filter was not told of leases at once", reason=str(error))
        self._meters.add(Counted.CHANGED, len(merged.changed))
        self._meters.add(Counted.GROUPS)
        self._meters.add(Counted.COMMIT_MICROSECONDS, (time.monotonic_ns() - began) // 1000)
