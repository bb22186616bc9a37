"""Facts on their way: into the store, to the filter, onto the disk, then acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from op25b.processes.board import Meters
from op25b.processes.commit import Done, GroupCommit
from op25b.processes.complaints import Complaints
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
    """Puts facts into the store in groups, one transaction each, in a thread of its own; another one syncs them.

    `merge` puts a group into the store, or raises and has put in nothing of it (`Leases.merge`, not synced). `after` is
    told what came of it, once it is committed, and returns when the filter has it; whatever `after` raises, the group
    counts as taken: the store has it, and whoever follows the store finds it there. `sync` returns when all that was
    put in before is on disk (`Store.sync`); that takes longer than the rest, and the next group need not wait for it.
    """

    def __init__(
        self,
        merge: Merge,
        sync: Callable[[], None],
        after: Callable[[Merged], None],
        meters: Meters,
        complaints: Complaints,
        wall: Wall,
    ) -> None:
        self._merge, self._sync, self._after = merge, sync, after
        self._meters, self._complaints = meters, complaints
        self._wall = wall
        self._group: GroupCommit[Fact] = GroupCommit(self._write, "leases", self._written)
        self._syncs: GroupCommit[None] = GroupCommit(self._to_disk, "leases-sync")
        self._listeners: list[Callable[[], None]] = []
        self._waiting = 0
        self._failed_at = float("-inf")

    def submit(self, fact: Fact, done: Done) -> None:
        """`done` is called once the fact is on disk and the filter knows of it, or with what kept it from there.

        Raises Full.
        """
        if self._waiting >= MOST:
            self._meters.add(Counted.OVERFLOWED)
            raise Full
        self._waiting += 1
        self._meters.set(Counted.WAITING, self._waiting)
        self._group.submit(fact, partial(self._merged, partial(self._settled, done)))

    @property
    def busy(self) -> bool:
        """Whether a group is being put into the store, or about to be."""
        return self._group.busy

    def after_each(self, listener: Callable[[], None]) -> None:
        """Call this in the loop whenever the store and the filter have a group: what it submits is in the next."""
        self._listeners.append(listener)

    @property
    def failing(self) -> bool:
        """Whether the store did not take the last group, unless that is so long ago that another should be tried."""
        return abs(self._wall() - self._failed_at) < FAILING_SECONDS

    async def close(self) -> None:
        """Waits for all that was submitted before."""
        await self._group.close()
        await self._syncs.close()

    def _merged(self, done: Done, error: BaseException | None) -> None:
        if error is None:
            self._syncs.submit(None, done)
        else:
            done(error)

    def _settled(self, done: Done, error: BaseException | None) -> None:
        self._waiting -= 1
        self._meters.set(Counted.WAITING, self._waiting)
        self._meters.add(Counted.REPORTS if error is None else Counted.STORE_FAILED)
        done(error)

    def _written(self) -> None:
        for listener in self._listeners:
            listener()

    def _write(self, facts: list[Fact]) -> None:
        """In the thread."""
        began = time.monotonic_ns()
        try:
            merged = self._merge(facts, datetime.fromtimestamp(self._wall(), UTC))
        except Exception as error:
            self._failed(error)
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

    def _to_disk(self, _: list[None]) -> None:
        """In the other thread."""
        try:
            self._sync()
        except Exception as error:
            self._failed(error)
            raise

    def _failed(self, error: Exception) -> None:
        self._failed_at = self._wall()
        self._complaints.about("store", "the store took no reports", reason=str(error))
