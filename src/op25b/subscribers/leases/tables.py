"""Sessions, leases and newest claims as the store has them, by the driver's own cursor.

NEVER is null there, and so is the `seen` of a lease that the newest claim of its session named: then the usual report
alters nothing but the row of the session.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from op25b.store.raw import Raw, Row, packed
from op25b.subscribers.leases.rows import NEVER, Holding, Key, Lease, Session

SESSION = f"s.started_at, s.seen_at, coalesce(s.stopped_at, {NEVER}), coalesce(s.expires_at, {NEVER})"
LEASE = f"l.first_at, coalesce(l.seen_at, s.seen_at), l.started_at, coalesce(l.dropped_at, {NEVER})"
KEY = "s.source, s.name, s.subscriber"
RESTARTED = "(SELECT max(at) FROM restarts r WHERE r.source = s.source)"
"""The last restart of a session's source: where it did not end the session, no earlier one did."""


_LOCK = 0x6F703237


def lock(raw: Raw) -> None:
    """Let nobody else merge until the transaction ends: what changed is found by comparing before with after."""
    if raw.postgresql:
        raw.run("SELECT pg_advisory_xact_lock(?)", _LOCK)


def last_id(raw: Raw) -> int:
    """The greatest id of a session, 0 where there is none."""
    return int(raw.rows("SELECT coalesce(max(id), 0) FROM sessions")[0][0])


def sessions(raw: Raw, keys: Collection[Key]) -> dict[Key, tuple[int, Session]]:
    """(id, session) of those of the keys that are known."""
    rows = raw.rows(
        f"SELECT {KEY}, s.id, {SESSION} FROM {raw.given(source=str, name=str, subscriber=str)} CROSS JOIN sessions s "
        "WHERE s.source = given.source AND s.name = given.name AND s.subscriber = given.subscriber",
        packed(keys),
    )
    return {Key(*row[:3]): (row[3], Session(*row[4:])) for row in rows}


def leases(raw: Raw, numbers: Collection[int]) -> dict[int, dict[str, Lease]]:
    """All leases of the sessions with these ids, by prefix."""
    rows = raw.rows(
        f"SELECT l.session, l.prefix, {LEASE} FROM {raw.given(session=int)} CROSS JOIN sessions s CROSS JOIN leases l "
        "WHERE s.id = given.session AND l.session = s.id",
        packed([number] for number in numbers),
    )
    found: dict[int, dict[str, Lease]] = defaultdict(dict)
    for number, prefix, *lease in rows:
        found[number][prefix] = Lease(*lease)
    return found


def newest(raw: Raw, prefixes: Collection[str]) -> dict[str, dict[int, Holding]]:
    """The newest claims of prefixes, by the session's id: one each, or several of one instant."""
    rows = raw.rows(
        f"SELECT n.prefix, n.session, {KEY}, {SESSION}, {LEASE}, {RESTARTED} FROM {raw.given(prefix=str)} "
        "CROSS JOIN newest_claims n CROSS JOIN sessions s CROSS JOIN leases l "
        "WHERE n.prefix = given.prefix AND s.id = n.session AND l.session = n.session AND l.prefix = n.prefix",
        packed([prefix] for prefix in prefixes),
    )
    found: dict[str, dict[int, Holding]] = defaultdict(dict)
    for prefix, number, *rest in rows:
        found[prefix][number] = holding(rest)
    return found


def holding(row: Row | list[object]) -> Holding:
    """From the columns KEY, SESSION, LEASE and RESTARTED."""
    restarts = () if row[11] is None else (row[11],)
    return Holding.of(Key(*row[:3]), Session(*row[3:7]), Lease(*row[7:11]), restarts)  # type: ignore[arg-type]


def struck(raw: Raw, source: str, at: int) -> set[str]:
    """The prefixes whose newest claim is one of a session that a restart of its source ends."""
    rows = raw.rows(
        "SELECT n.prefix FROM sessions s CROSS JOIN leases l CROSS JOIN newest_claims n "
        "WHERE s.source = ? AND s.stopped_at IS NULL AND s.started_at < ? AND s.seen_at <= ? "
        "AND l.session = s.id AND n.prefix = l.prefix AND n.session = s.id",
        source,
        at,
        at,
    )
    return {row[0] for row in rows}


def last_restarts(raw: Raw, sources: Collection[str]) -> dict[str, tuple[int]]:
    """The last restart of each source that had one."""
    rows = raw.rows(
        f"SELECT s.source, {RESTARTED} FROM {raw.given(source=str).replace('AS given', 'AS s')}",
        packed([source] for source in sources),
    )
    return {source: (at,) for source, at in rows if at is not None}


def add_sessions(raw: Raw, rows: Iterable[tuple[int, Key, Session]]) -> None:
    """Add sessions with their ids."""
    raw.many(
        "INSERT INTO sessions (id, source, name, subscriber, started_at, seen_at, stopped_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(number, *key, *_session(session)) for number, key, session in rows],
    )


def change_sessions(raw: Raw, rows: Iterable[tuple[int, Key, Session]]) -> None:
    """Replace sessions by their ids. What changes little stays out: each index with such a column costs a page."""
    changed = [(*_session(session), number) for number, _, session in rows]
    raw.many("UPDATE sessions SET started_at = ?, seen_at = ?, stopped_at = ?, expires_at = ? WHERE id = ?", changed)


LeaseRow = tuple[int, int | None, int, int | None]


def lease_row(lease: Lease, session: Session) -> LeaseRow:
    """A lease as it is stored beside its session."""
    seen = None if lease.seen == session.seen else lease.seen
    return lease.first, seen, lease.started, _end(lease.dropped)


def put_leases(raw: Raw, rows: Iterable[tuple[int, str, LeaseRow]]) -> None:
    """Add leases, or replace them."""
    raw.many(
        "INSERT INTO leases (session, prefix, first_at, seen_at, started_at, dropped_at) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (session, prefix) DO UPDATE SET first_at = excluded.first_at, seen_at = excluded.seen_at, "
        "started_at = excluded.started_at, dropped_at = excluded.dropped_at",
        [(number, prefix, *row) for number, prefix, row in rows],
    )


def add_restarts(raw: Raw, rows: Iterable[tuple[str, int]]) -> None:
    raw.many("INSERT INTO restarts (source, at) VALUES (?, ?) ON CONFLICT DO NOTHING", list(rows))


def add_lengths(raw: Raw, rows: Iterable[tuple[int, int]]) -> None:
    raw.many("INSERT INTO lease_lengths (version, length) VALUES (?, ?) ON CONFLICT DO NOTHING", list(rows))


def move_newest(raw: Raw, gone: list[tuple[str, int]], come: list[tuple[str, int]]) -> None:
    """Replace newest claims, each (prefix, id of the session)."""
    raw.many("DELETE FROM newest_claims WHERE prefix = ? AND session = ?", gone)
    raw.many("INSERT INTO newest_claims (prefix, session) VALUES (?, ?)", come)


def _session(session: Session) -> tuple[int, int, int | None, int | None]:
    return session.started, session.seen, _end(session.stopped), _end(session.expires)


def _end(at: int) -> int | None:
    return None if at == NEVER else at
