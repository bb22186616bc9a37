"""Who held an address at any instant that is kept, and what a subscriber held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import NamedTuple

from sqlalchemy import Connection

from op25b.store.micros import instant, micros
from op25b.store.raw import Raw, packed
from op25b.subscribers.leases import tables
from op25b.subscribers.leases.rows import NEVER, Holding, closed, end, holder_then

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Period:
    """One claim to a prefix: since when, and until when by its own reports.

    `seen`: the newest report; `until`: its end (stopped, restarted, left for another prefix, expired), or when it will
    expire; None: without limit. Another one's newer claim may have taken the prefix over before that.
    """

    prefix: str
    subscriber: str
    source: str
    session: str
    since: datetime
    seen: datetime
    until: datetime | None


class Tenure(NamedTuple):
    """A time for which a subscriber held a prefix, the first instant included, the last not; None: it has no end."""

    prefix: str
    subscriber: str
    since: datetime
    until: datetime | None

    def covers(self, at: datetime) -> bool:
        """Whether he held it at that instant."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Answer:
    """Who held an address: None where nobody is known to. `others` claimed it at that instant too, newest first."""

    holder: Period | None
    others: tuple[Period, ...]


def who(connection: Connection, address: Address, at: datetime) -> Answer:
    """Who held an address at an instant, now included; of nested prefixes the holder of the longest."""
    return who_each(connection, [(address, at)])[0]


def who_each(connection: Connection, asked: Sequence[tuple[Address, datetime]]) -> list[Answer]:
    """The answer to each (address, instant), for thousands at a time."""
    raw = Raw(connection)
    lengths = _lengths(raw)
    covering = [[_around(address, length) for length in lengths[address.version]] for address, _ in asked]
    latest: dict[str, int] = defaultdict(int)
    for prefixes, (_, at) in zip(covering, asked, strict=True):
        for prefix in prefixes:
            latest[prefix] = max(latest[prefix], micros(at))
    claims = _claims(raw, latest)
    return [_answer(prefixes, claims, micros(at)) for prefixes, (_, at) in zip(covering, asked, strict=True)]


def around(connection: Connection, address: Address) -> list[str]:
    """The prefixes around an address that a lease may have, the longest first."""
    return [_around(address, length) for length in _lengths(Raw(connection))[address.version]]


def leased_to(connection: Connection, subscribers: Collection[str], first: datetime, last: datetime) -> set[str]:
    """The prefixes that any of these subscribers claimed for a time which these instants, or one between, are in."""
    raw = Raw(connection)
    rows = raw.rows(
        f"SELECT DISTINCT l.prefix FROM {raw.given(subscriber=str)} CROSS JOIN sessions s CROSS JOIN leases l "
        "WHERE s.subscriber = given.subscriber AND l.session = s.id AND l.started_at <= ? "
        f"AND coalesce(s.stopped_at, {NEVER}) > ? AND coalesce(s.expires_at, {NEVER}) > ?",
        packed([subscriber] for subscriber in subscribers),
        micros(last),
        micros(first),
        micros(first),
    )
    return {row[0] for row in rows}


def tenures(connection: Connection, prefixes: Collection[str]) -> list[Tenure]:
    """Who held these prefixes from when until when, as `who` has it for every instant."""
    found = []
    for prefix, claims in _claims(Raw(connection), dict.fromkeys(prefixes, NEVER)).items():
        # between two of these nothing turns
        turns = sorted(
            {at for each in claims for at in (each.lease.started, each.lease.seen, each.ended) if at < NEVER}
        )
        for begin, until in zip(turns, [*turns[1:], NEVER], strict=True):
            held = holder_then(claims, begin)
            if held is not None:
                found.append(Tenure(prefix, held.key.subscriber, instant(begin), end(until)))
    return found


def periods(connection: Connection, subscriber: str, limit: int) -> list[Period]:
    """The newest of what a subscriber claimed, newest first."""
    raw = Raw(connection)
    rows = raw.rows(
        f"SELECT l.prefix, {tables.KEY}, {tables.SESSION}, {tables.LEASE}, s.source FROM sessions s "
        "JOIN leases l ON l.session = s.id WHERE s.subscriber = ? ORDER BY l.started_at DESC, l.prefix LIMIT ?",
        subscriber,
        limit,
    )
    restarts = _restarts(raw, {row[1] for row in rows})
    return [_period(prefix, _with(tables.holding((*row[:11], None)), restarts)) for prefix, *row in rows]


def _answer(prefixes: Iterable[str], claims: dict[str, list[Holding]], at: int) -> Answer:
    """`prefixes` contain the address, the longest first."""
    found, others = None, []
    for prefix in prefixes:
        held = holder_then(claims.get(prefix, ()), at)
        if found is None and held is not None:
            found = _period(prefix, held)
            others += [each for each in _lasting(prefix, claims, at) if each != found]
        else:
            others += _lasting(prefix, claims, at)
    return Answer(found, tuple(sorted(others, key=lambda each: each.since, reverse=True)))


def _lasting(prefix: str, claims: dict[str, list[Holding]], at: int) -> list[Period]:
    return [_period(prefix, each) for each in claims.get(prefix, ()) if each.lease.started <= at < each.ended]


def _claims(raw: Raw, latest: dict[str, int]) -> dict[str, list[Holding]]:
    """All claims to prefixes that had begun by an instant, one for each."""
    rows = raw.rows(
        f"SELECT l.prefix, {tables.KEY}, {tables.SESSION}, {tables.LEASE} FROM {raw.given(prefix=str, at=int)} "
        "CROSS JOIN leases l CROSS JOIN sessions s "
        "WHERE l.prefix = given.prefix AND l.started_at <= given.at AND s.id = l.session",
        packed(latest.items()),
    )
    restarts = _restarts(raw, {row[1] for row in rows})
    found = defaultdict(list)
    for prefix, *row in rows:
        found[prefix].append(_with(tables.holding((*row, None)), restarts))
    return found


def _restarts(raw: Raw, sources: Collection[str]) -> dict[str, list[int]]:
    rows = raw.rows(
        f"SELECT r.source, r.at FROM {raw.given(source=str)} CROSS JOIN restarts r WHERE r.source = given.source",
        packed([source] for source in sources),
    )
    found = defaultdict(list)
    for source, at in rows:
        found[source].append(at)
    return found


def _with(each: Holding, restarts: dict[str, list[int]]) -> Holding:
    return each._replace(closed=closed(each.session, each.lease, restarts.get(each.key.source, ())))


def _period(prefix: str, held: Holding) -> Period:
    key, _, lease, _ = held
    since, seen = instant(lease.started), instant(lease.seen)
    return Period(prefix, key.subscriber, key.source, key.name, since, seen, end(held.ended))


def _lengths(raw: Raw) -> dict[int, list[int]]:
    """The lengths that prefixes of leases have, by address family, longest first."""
    found: dict[int, list[int]] = {4: [], 6: []}
    for version, length in raw.rows("SELECT version, length FROM lease_lengths ORDER BY length DESC"):
        found[version].append(length)
    return found


@lru_cache(65_536)
def _around(address: Address, length: int) -> str:
    return str(ip_network((address, length), strict=False))
