"""How facts add up: what is kept of a session and its leases, and who holds a prefix. Pure; times in microseconds.

Facts are joined by least and greatest, so that neither their order nor their number makes a difference. What depends on
several rows (since when a lease is held, whether its session left it) is computed from joined rows, never from facts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from op25b.store.micros import instant, micros
from op25b.subscribers.leases.facts import FOREVER, Claim, Fact, Release, Restart

NEVER = 1 << 62
"""Later than any instant that a fact may have."""


class Key(NamedTuple):
    """What makes two reports one session. Sources give a name again after a restart: hence the subscriber too."""

    source: str
    name: str
    subscriber: str


class Session(NamedTuple):
    """What is known of a session; NEVER where there is no end.

    `seen`: the newest claim; `stopped`: the newest end, NEVER once it was seen after that; `expires`: when it counts as
    ended without another report, as the newest claim has it.
    """

    started: int
    seen: int
    stopped: int
    expires: int

    def joined(self, other: Session) -> Session:
        """What both together say: the same whichever comes first."""
        started = min(self.started, other.started)
        seen = max(self.seen, other.seen)
        expires = max(each.expires for each in (self, other) if each.seen == seen)
        ends = [each.stopped for each in (self, other) if seen <= each.stopped < NEVER]
        return Session(started, seen, max(ends, default=NEVER), expires)


class Lease(NamedTuple):
    """What is known of a prefix of a session. `first`, `seen`: the first and the newest claim that named it.

    `started`: since when it is held; `dropped`: when its session had left it for another one, else NEVER.
    """

    first: int
    seen: int
    started: int = NEVER
    dropped: int = NEVER

    def joined(self, other: Lease) -> Lease:
        """What both together say; `shaped` gives the rest."""
        return Lease(min(self.first, other.first), max(self.seen, other.seen))


@dataclass
class Reports:
    """Facts added up, without the store."""

    sessions: dict[Key, Session]
    leases: dict[Key, dict[str, Lease]]
    restarts: dict[str, set[int]]


def end(at: int) -> datetime | None:
    """An end as people know it: None for NEVER."""
    return None if at == NEVER else instant(at)


def gathered(facts: Iterable[Fact], now: datetime, expire: timedelta | None) -> Reports:
    """Add up facts. One dated after `now` counts as of now: a clock that is ahead would win for as long as it is."""
    present, lasting = micros(now), NEVER if expire is None else expire // timedelta(microseconds=1)
    reports = Reports({}, defaultdict(dict), defaultdict(set))
    for fact in facts:
        at = min(micros(fact.at), present)
        if isinstance(fact, Restart):
            reports.restarts[fact.source].add(at)
            continue
        key = Key(fact.source, fact.session, fact.subscriber)
        started = min(micros(fact.started), at)
        # the report of an end shows that the session was there when it began, and no later
        seen = at if isinstance(fact, Claim) else started
        until = fact.until if isinstance(fact, Claim) else None
        expires = min(seen + lasting, NEVER) if until is None else NEVER if until >= FOREVER else micros(until)
        said = Session(started, seen, at if isinstance(fact, Release) else NEVER, expires)
        known = reports.sessions.get(key)
        reports.sessions[key] = said if known is None else known.joined(said)
        named = reports.leases[key]
        for prefix in fact.prefixes:
            lease = Lease(at, seen)
            named[prefix] = lease if prefix not in named else named[prefix].joined(lease)
    return reports


def shaped(session: Session, leases: Mapping[str, Lease]) -> dict[str, Lease]:
    """All leases of a session with `started` and `dropped` as the rows together say.

    Those that were named first are as old as the session (its Start may be lost), others as their first claim. One that
    others of its family outlived is left: when the next one began, or when it was last named if they overlapped.
    """
    oldest = min((lease.first for lease in leases.values()), default=0)
    begun = {
        prefix: lease._replace(started=session.started if lease.first == oldest else lease.first, dropped=NEVER)
        for prefix, lease in leases.items()
    }
    if len(begun) == 1:
        return begun
    return {prefix: lease._replace(dropped=_dropped(prefix, lease, begun)) for prefix, lease in begun.items()}


def _dropped(prefix: str, lease: Lease, leases: Mapping[str, Lease]) -> int:
    later = [
        other.started for name, other in leases.items() if other.seen > lease.seen and (":" in name) == (":" in prefix)
    ]
    if not later:
        return NEVER
    return min((started for started in later if started > lease.seen), default=lease.seen)


class Holding(NamedTuple):
    """A lease with its session: one who claims, or claimed, a prefix. `closed`: see `closed`."""

    key: Key
    session: Session
    lease: Lease
    closed: int

    @classmethod
    def of(cls, key: Key, session: Session, lease: Lease, restarts: Iterable[int]) -> Holding:
        return cls(key, session, lease, closed(session, lease, restarts))

    @property
    def ended(self) -> int:
        """When it came to its end by itself, or will; NEVER while it lasts."""
        return min(self.closed, self.session.expires)

    @property
    def rank(self) -> tuple[int, Key]:
        """Of two whose claims are of the same instant, the one that began later; the rest only makes it certain."""
        return self.lease.started, self.key


def closed(session: Session, lease: Lease, restarts: Iterable[int]) -> int:
    """When a lease was ended by a report: stopped, restarted, or left for another; NEVER if it was not.

    `restarts` are those of its source. One in the very second in which a session began is taken to be before it.
    """
    restarted = min((at for at in restarts if at >= session.seen and at > session.started), default=NEVER)
    return min(session.stopped, restarted, lease.dropped)


def holder(newest: Iterable[Holding], now: int) -> Holding | None:
    """Who holds a prefix now, of those who share its newest claim. An older claim never comes back by itself."""
    lasting = [each for each in newest if each.closed == NEVER and each.session.expires > now]
    return max(lasting, key=lambda each: each.rank, default=None)


def holder_then(claims: Iterable[Holding], at: int) -> Holding | None:
    """Who held a prefix at an instant, of all who ever claimed it; after all claims the same as `holder`.

    Of those whose lease covers the instant, the one with the newest claim until then; of one that was seen later too
    only the start is known to be before. Nobody, if a newer claim ended in between and no older one was seen again.
    """

    def newest(each: Holding) -> int:
        return each.lease.started if each.lease.seen > at else each.lease.seen

    begun = [each for each in claims if each.lease.started <= at]
    gone = max((newest(each) for each in begun if each.ended <= at), default=-1)
    covering = [each for each in begun if each.ended > at and (each.lease.seen > at or newest(each) >= gone)]
    return max(covering, key=lambda each: (newest(each), each.rank), default=None)
