"""The follower: brings what the store says and what the live sets hold together, a change or everything at a time.

It takes no lasting decision by itself: whatever it does follows from the state that it reads at that moment. So a
change that is told twice, or by two ways, does no harm, and one that was missed is made good by the next look at all.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from threading import Lock

from op25b.enforcement.follower import insisting
from op25b.enforcement.follower.insisting import Done, Enforcer
from op25b.enforcement.follower.metrics import Followed
from op25b.enforcement.follower.mirror import Mirror
from op25b.enforcement.follower.present import Forgotten, Present
from op25b.enforcement.members import Members, count, difference
from op25b.enforcement.requests import State
from op25b.processes.board import Meters
from op25b.store import Store
from op25b.store.changes import Change

BATCH = 2_000
"""Changes that are looked at together."""
GAP = timedelta(minutes=2)
"""After a longer time without a look at the clock (the host slept, the clock was set) everything is read anew."""


class Follower:
    """Of one router. Safe to share between threads; `now` gives the present instant.

    Methods raise what the store (UserError) and the enforcer (Away, Refused) raise. After that, and after Forgotten,
    only `begin` makes it known again what the live sets hold.
    """

    def __init__(self, store: Store, now: Callable[[], datetime], meters: Meters) -> None:
        self._store, self._now, self._meters = store, now, meters
        self._turn = Lock()
        self._enforcer: Enforcer | None = None
        self._epoch = 0
        # what the live sets were asked to hold: all of it is there, but for what was refused
        self._mirror = Mirror({})
        self._ends: list[tuple[datetime, str]] = []
        self._last = 0
        self._until = self._now()
        self._next: datetime | None = None

    @property
    def in_step(self) -> bool:
        """Whether what the live sets hold is known, and follows the store."""
        return self._enforcer is not None

    def begin(self, enforcer: Enforcer) -> Done:
        """Read everything, and let the live sets hold exactly that. From then on in step."""
        self.lose()
        at = self._now()
        with self._store.read() as connection:
            present = Present(connection)
            everything, following = present.everything(at), present.next_turn(at)
        done = insisting.replace(enforcer, everything.wanted)
        self._meters.add(Followed.READINGS)
        with self._turn:
            self._mirror, self._epoch = Mirror(everything.wanted), done.state.epoch
            self._ends = everything.ends
            heapq.heapify(self._ends)
            self._last, self._until, self._next = everything.newest, at, following
            self._enforcer = enforcer
            self._count(done.refused - self._meters.get(Followed.REFUSED))
        return done

    def lose(self) -> None:
        """The enforcer or the store is away."""
        with self._turn:
            self._enforcer = None

    def changed(self, prefixes: Iterable[str], subscribers: Iterable[str] = ()) -> bool:
        """These have changed, and that is committed: True when the enforcer has confirmed what follows from it.

        False when it is not in step: then what follows is done as soon as it is. Waits for the enforcer. Does what the
        feed has as well, since that is mostly the same: `catch_up` does not look at it again.
        """
        told: list[Change] = [("prefix", prefix) for prefix in prefixes]
        told += (("subscriber", subscriber) for subscriber in subscribers)
        with self._turn:
            if self._enforcer is None:
                return False
            try:
                with self._store.read() as connection:
                    self._follow(self._enforcer, Present(connection), told)
            except BaseException:
                self._enforcer = None
                raise
            return True

    def catch_up(self) -> None:
        """Do what follows from the time, and from the changes that the feed has. Raises Forgotten too."""
        while self._caught_up():
            pass

    def _caught_up(self) -> bool:
        """A batch of it, so that others have their turn; whether there may be more."""
        with self._turn:
            if self._enforcer is None:
                return False
            with self._store.read() as connection:
                present = Present(connection)
                self._keep_time(self._enforcer, present)
                return self._follow(self._enforcer, present) == BATCH

    def _follow(self, enforcer: Enforcer, present: Present, told: Sequence[Change] = ()) -> int:
        """Do what follows from what is told, and from a batch of the feed; how many the feed had."""
        found = present.changes(self._last, BATCH)
        fed = [change for _, change in found]
        self._treat(enforcer, present, (*told, *fed))
        if found:
            self._last = found[-1][0]
            self._next = present.next_turn(self._until)
        return len(found)

    def ask(self) -> None:
        """Ask the enforcer for a sign of life. Raises Forgotten if the live sets may hold what was not asked for."""
        with self._turn:
            if self._enforcer is not None:
                self._check(self._enforcer.hello())

    def _check(self, state: State) -> None:
        if state.epoch != self._epoch:
            raise Forgotten

    def next_moment(self) -> datetime | None:
        """When something will follow from the time; None: from no time that is known."""
        moments = [self._next] if self._next is not None else []
        return min([*moments, *(end for end, _ in self._ends[:1])], default=None)

    def _keep_time(self, enforcer: Enforcer, present: Present) -> None:
        now = self._now()
        if not timedelta(0) <= now - self._until <= GAP:
            raise Forgotten
        found: list[Change] = []
        while self._ends and self._ends[0][0] <= now:
            found.append(("prefix", heapq.heappop(self._ends)[1]))
        turns = self._next is not None and self._next <= now
        if turns:
            found += present.turned(self._until, now)
        self._treat(enforcer, present, found)
        self._until = now
        if turns:
            self._next = present.next_turn(now)

    def _treat(self, enforcer: Enforcer, present: Present, found: Iterable[Change]) -> None:
        changes = list(dict.fromkeys(found))
        self._meters.add(Followed.CHANGES, len(changes))
        for start in range(0, len(changes), BATCH):
            seen = present.of(changes[start : start + BATCH], self._now())
            change = self._mirror.delta(seen.looked, seen.wanted)
            if change:
                done = insisting.change(enforcer, self._mirror.in_kernel(change))
                self._mirror.change(change)
                self._check(done.state)
                self._count(done.refused)
            for end in seen.ends:
                heapq.heappush(self._ends, end)

    def _count(self, refused: int) -> None:
        refused += self._meters.get(Followed.REFUSED)
        self._meters.set(Followed.REFUSED, refused)
        self._meters.set(Followed.MEMBERS, max(0, len(self._mirror) - refused))

    def audit(self, enforcer: Enforcer) -> int:
        """Compare everything: how many members the store has otherwise, and how many the kernel.

        What happens meanwhile is not held up, and not counted: only what is amiss before and after. More than none
        calls for `begin`. `enforcer`: another connection than that of `begin`, as this takes its time.
        """
        before = self._members()
        with self._store.read() as connection:
            everything = Present(connection).everything(self._now())
        held = enforcer.read()
        after = self._members()
        with self._turn:
            self._ends = sorted({*self._ends, *everything.ends})
        found = amiss(everything.wanted, before, after) + amiss(held, before, after)
        self._meters.add(Followed.AMISS, found)
        return found

    def _members(self) -> Members:
        with self._turn:
            return self._mirror.members()


def amiss(there: Members, before: Members, after: Members) -> int:
    """Members in which `there` differs from both `before` and `after`."""
    then, now = difference(there, before), difference(there, after)
    return _common(then.add, now.add) + _common(then.remove, now.remove)


def _common(left: Members, right: Members) -> int:
    return count(left) - count(difference(left, right).add)
