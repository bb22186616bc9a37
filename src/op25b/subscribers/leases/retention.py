"""Forgetting what ended long ago, in transactions short enough that reports do not wait for it."""

from __future__ import annotations

from datetime import datetime

from op25b.store import Store
from op25b.store.micros import micros
from op25b.store.raw import Raw, packed
from op25b.subscribers.leases import tables

STEP = 10_000
"""So many sessions are looked at in one transaction."""

_ENDED = (
    "SELECT s.id FROM sessions s WHERE s.id > ? AND s.id <= ? AND s.seen_at < ? "
    "AND (s.stopped_at < ? OR s.stopped_at IS NULL AND (s.expires_at < ? "
    "OR EXISTS (SELECT 1 FROM restarts r WHERE r.source = s.source AND r.at >= s.seen_at AND r.at > s.started_at "
    "AND r.at < ?) "
    "OR NOT EXISTS (SELECT 1 FROM leases l JOIN newest_claims n ON n.prefix = l.prefix AND n.session = l.session "
    "WHERE l.session = s.id)))"
)


def forget_old(store: Store, before: datetime) -> int:
    """Drop the sessions that ended before an instant, with their leases, and restarts of before; how many sessions.

    What was taken over by another subscriber and never ended counts from its last report.
    """
    forgotten, last, horizon = 0, 0, micros(before)
    while True:
        with store.write() as connection:
            raw = Raw(connection)
            tables.lock(raw)
            first = last
            step = "SELECT max(id) FROM (SELECT id FROM sessions WHERE id > ? ORDER BY id LIMIT ?) AS step"
            last = raw.rows(step, first, STEP)[0][0]
            if last is None:
                raw.run("DELETE FROM restarts WHERE at < ?", horizon)
                return forgotten
            old = raw.rows(_ENDED, first, last, horizon, horizon, horizon, horizon)
            _forget(raw, packed(old))
            forgotten += len(old)


def _forget(raw: Raw, sessions: str) -> None:
    given = raw.given(session=int)
    raw.run(
        "DELETE FROM newest_claims WHERE (prefix, session) IN "
        f"(SELECT l.prefix, l.session FROM {given} CROSS JOIN leases l WHERE l.session = given.session)",
        sessions,
    )
    raw.run(f"DELETE FROM sessions WHERE id IN (SELECT given.session FROM {given})", sessions)
