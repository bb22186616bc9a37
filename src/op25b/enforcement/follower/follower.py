"""The follower: brings what the store says and what the live sets hold together, a change or everything at a time.

It takes no lasting decision by itself: whatever it does follows from the state that it reads at that moment. So a
change that is told twice, or by two ways, does no harm, and one that was missed is made good by the next look at all.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol

from op25b.enforcement.follower.mirror import Mirror
from op25b.enforcement.follower.present import Forgotten, Present
from op25b.enforcement.members import Delta, Members, count, difference
from op25b.store.changes import Change

BATCH = 2_000
"""Changes that are looked at together."""
GAP = timedelta(minutes=2)
"""After a longer time without a look at the clock (the host slept, the clock was set) everything is read anew."""


class Enforcer(Protocol):
    """The client of the enforcer (`op25b.enforcement.client`)."""

    def change(self, delta: Delta) -> None: ...
    def replace(self, members: Members) -> object: ...
    def read(self) -> Members: ...


class Follower:
    """Of one router. Safe to share between threads; `now` gives the present instant.

    Methods raise what the store (UserError) and the enforcer raise; after that, and after Forgotten, only `begin`
    makes it known again what the live sets hold.
    """

    def __init__(self, present: Present, now: Callable[[], datetime]) -> None:
        self._present, self._now = present, now
        self._turn = Lock()
        self._enforcer: Enforcer | None = None
        self._mirror = Mirror({})
        self._ends: list[tuple[datetime, str]] = []
        self._last = 0
        self._until = self._now()
        self._next: datetime | None = None

    @property
    def in_step(self) -> bool:
        """Whether what the live sets hold is known, and follows the store."""
        return self._enforcer is not None

    @property
    def members(self) -> int:
        """How many prefixes the live sets hold."""
        return len(self._mirror)

    def begin(self, enforcer: Enforcer) -> object:
        """Read everything, and let the live sets hold exactly that; what the enforcer says of it. From then on in step."""
        self.lose()
        at = self._now()
        everything = self._present.everything(at)
        repaired = enforcer.replace(everything.wanted)
        with self._turn:
            self._mirror = Mirror(everything.wanted)
            self._ends = everything.ends
            heapq.heapify(self._ends)
            self._last, self._until = everything.newest, at
            self._next = self._present.next_turn(at)
            self._enforcer = enforcer
        return repaired

    def lose(self) -> None:
        """The enforcer or the store is away."""
        with self._turn:
            self._enforcer = None

    def changed(self, prefixes: Iterable[str], subscribers: Iterable[str] = ()) -> bool:
        """These have changed, and that is committed: True when the enforcer has confirmed what follows from it.

        False when it is not in step: then what follows is done as soon as it is. Waits for the enforcer.
        """
        found: list[Change] = [("prefix", prefix) for prefix in prefixes]
        found += (("subscriber", subscriber) for subscriber in subscribers)
        with self._turn:
            if self._enforcer is None:
                return False
            try:
                self._treat(self._enforcer, found)
            except BaseException:
                self._enforcer = None
                raise
            return True

    def catch_up(self) -> None:
        """Do what follows from the changes that the feed has, and from the time. Raises Forgotten too."""
        with self._turn:
            if self._enforcer is None:
                return
            self._keep_time(self._enforcer)
            while found := self._present.changes(self._last, BATCH):
                self._treat(self._enforcer, (change for _, change in found))
                self._last = found[-1][0]
                self._next = self._present.next_turn(self._until)

    def next_moment(self) -> datetime | None:
        """When something will follow from the time; None: from no time that is known."""
        moments = [self._next] if self._next is not None else []
        return min([*moments, *(end for end, _ in self._ends[:1])], default=None)

    def _keep_time(self, enforcer: Enforcer) -> None:
        now = self._now()
        if not timedelta(0) <= now - self._until <= GAP:
            raise Forgotten
        found: list[Change] = []
        while self._ends and self._ends[0][0] <= now:
            found.append(("prefix", heapq.heappop(self._ends)[1]))
        turns = self._next is not None and self._next <= now
        if turns:
            found += self._present.turned(self._until, now)
        self._treat(enforcer, found)
        self._until = now
        if turns:
            self._next = self._present.next_turn(now)

    def _treat(self, enforcer: Enforcer, found: Iterable[Change]) -> None:
        changes = list(dict.fromkeys(found))
        for start in range(0, len(changes), BATCH):
            seen = self._present.of(changes[start : start + BATCH], self._now())
            change = self._mirror.delta(seen.looked, seen.wanted)
            if change:
                enforcer.change(self._mirror.in_kernel(change))
                self._mirror.change(change)
            for end in seen.ends:
                heapq.heappush(self._ends, end)

    def audit(self, enforcer: Enforcer) -> tuple[int, int]:
        """Compare everything: how many members are not as the store has them, and how many not as the kernel has them.

        What happens meanwhile is not held up, and not counted: only what is amiss before and after. More than none
        calls for `begin`. `enforcer`: another connection than that of `begin`, as this takes its time.
        """
        before = self._members()
        everything = self._present.everything(self._now())
        held = enforcer.read()
        after = self._members()
        with self._turn:
            self._ends = sorted({*self._ends, *everything.ends})
        return amiss(everything.wanted, before, after), amiss(held, before, after)

    def _members(self) -> Members:
        with self._turn:
            return self._mirror.members()


def amiss(there: Members, before: Members, after: Members) -> int:
    """Members in which `there` differs from both `before` and `after`."""
    then, now = difference(there, before), difference(there, after)
    return _common(then.add, now.add) + _common(then.remove, now.remove)


def _common(left: Members, right: Members) -> int:
    return count(left) - count(difference(left, right).add)
