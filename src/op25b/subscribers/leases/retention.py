"""Forgetting what ended long ago, in transactions short enough that reports do not wait for it."""

from __future__ import annotations

from datetime import datetime

from op25b.store import Store
from op25b.store.micros import micros
from op25b.store.raw import Raw

STEP = 10_000
"""So many sessions are looked at in one transaction."""


def forget_old(store: Store, before: datetime) -> int:
    """Drop the sessions that ended before an instant, with their leases, and restarts of before; how many sessions.

    What was taken over by another subscriber and never ended counts from its last report.
    """
    dropped, number, horizon = 0, 0, micros(before)
    while True:
        with store.write() as connection:
            raw = Raw(connection)
            last = raw.rows(
                "SELECT max(id) FROM (SELECT id FROM sessions WHERE id > ? ORDER BY id LIMIT ?) AS step", number, STEP
            )[0][0]
            if last is None:
                raw.run("DELETE FROM restarts WHERE at < ?", horizon)
                return dropped
            dropped += raw.run(
                "DELETE FROM sessions WHERE id > ? AND id <= ? AND seen_at < ? "
                "AND (stopped_at IS NULL OR stopped_at < ?) AND (stopped_at IS NOT NULL OR expires_at < ? "
                "OR EXISTS (SELECT 1 FROM restarts r WHERE r.source = sessions.source AND r.at < ? "
                "AND r.at >= sessions.seen_at AND r.at > sessions.started_at) "
                "OR NOT EXISTS (SELECT 1 FROM newest_claims n WHERE n.session = sessions.id))",
                *(number, last, horizon, horizon, horizon, horizon),
            )
            number = last
