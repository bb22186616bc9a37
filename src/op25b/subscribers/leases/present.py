"""Who holds what now. `at` is the present instant: an earlier one is a question for `history`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from op25b.store.micros import instant, micros
from op25b.store.raw import Raw, packed
from op25b.subscribers.leases import tables
from op25b.subscribers.leases.rows import NEVER, Holding, end, holder


@dataclass(frozen=True, slots=True)
class Held:
    """A prefix that a subscriber holds now.

    `seen`: the newest report; `expires`: until when it is held without another one, None: without limit. A report moves
    that without a word in the feed: who acts on it asks again at that instant.
    """

    prefix: str
    subscriber: str
    source: str
    session: str
    since: datetime
    seen: datetime
    expires: datetime | None


def holders(connection: Connection, prefixes: Collection[str], at: datetime) -> dict[str, Held]:
    """Who holds each of these prefixes now; what nobody holds is not in it."""
    found = {}
    for prefix, claims in tables.newest(Raw(connection), prefixes).items():
        if (held := holder(claims.values(), micros(at))) is not None:
            found[prefix] = _held(prefix, held)
    return found


def held_by(connection: Connection, subscribers: Collection[str], at: datetime) -> dict[str, list[Held]]:
    """The prefixes that each of these subscribers holds now, in order; who holds none is not in it."""
    raw = Raw(connection)
    rows = raw.rows(
        f"SELECT DISTINCT n.prefix FROM {raw.given(subscriber=str)} "
        "CROSS JOIN sessions s CROSS JOIN leases l CROSS JOIN newest_claims n "
        "WHERE s.subscriber = given.subscriber AND s.stopped_at IS NULL AND l.session = s.id "
        "AND n.prefix = l.prefix AND n.session = s.id",
        packed([subscriber] for subscriber in subscribers),
    )
    wanted, found = set(subscribers), defaultdict(list)
    for _, held in sorted(holders(connection, [row[0] for row in rows], at).items()):
        if held.subscriber in wanted:
            found[held.subscriber].append(held)
    return dict(found)


def all_holders(connection: Connection, at: datetime) -> dict[str, str]:
    """The subscriber of each prefix that is held now. A million take seconds: for a start, not for each change."""
    rows = Raw(connection).rows(
        "SELECT n.prefix, s.subscriber FROM newest_claims n JOIN sessions s ON s.id = n.session "
        "LEFT JOIN (SELECT source, max(at) AS at FROM restarts GROUP BY source) r ON r.source = s.source "
        "WHERE s.stopped_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > ?) "
        "AND (r.at IS NULL OR r.at < s.seen_at OR r.at <= s.started_at) "
        "AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.session = n.session AND l.prefix = n.prefix "
        "AND l.dropped_at IS NOT NULL)",
        micros(at),
    )
    found: dict[str, str] = dict(rows)
    if len(found) < len(rows):
        # some share the newest claim of a prefix
        times = Counter(prefix for prefix, _ in rows)
        shared = [prefix for prefix, number in times.items() if number > 1]
        found |= {prefix: held.subscriber for prefix, held in holders(connection, shared, at).items()}
    return found


def ending(connection: Connection, at: datetime, until: datetime) -> list[tuple[datetime, str]]:
    """When leases that are held end, after `at` and by `until`, unless they are reported again; their prefixes."""
    rows = Raw(connection).rows(
        "SELECT s.expires_at, n.prefix FROM sessions s CROSS JOIN leases l CROSS JOIN newest_claims n "
        "WHERE s.stopped_at IS NULL AND s.expires_at > ? AND s.expires_at <= ? AND l.session = s.id "
        "AND n.prefix = l.prefix AND n.session = s.id",
        micros(at),
        micros(until),
    )
    return [(instant(expires), prefix) for expires, prefix in rows]


def under_way(connection: Connection, source: str) -> dict[str, Held]:
    """What a source last reported to be held, by prefix, whether it has expired or not."""
    raw = Raw(connection)
    rows = raw.rows(
        f"SELECT n.prefix, {tables.KEY}, {tables.SESSION}, {tables.LEASE}, {tables.RESTARTED} FROM sessions s "
        "CROSS JOIN leases l CROSS JOIN newest_claims n WHERE s.source = ? AND s.stopped_at IS NULL "
        "AND l.session = s.id AND n.prefix = l.prefix AND n.session = s.id",
        source,
    )
    found = {prefix: tables.holding(row) for prefix, *row in rows}
    return {prefix: _held(prefix, each) for prefix, each in found.items() if each.closed == NEVER}


def _held(prefix: str, held: Holding) -> Held:
    key, session, lease, _ = held
    return Held(
        prefix,
        key.subscriber,
        key.source,
        key.name,
        instant(lease.started),
        instant(session.seen),
        end(session.expires),
    )
