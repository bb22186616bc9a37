"""The feed of changes: what else must be looked at again because of a change, in the order of commits.

Whoever follows it reads the present state of each subject, not a history: reading one twice does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, text

from op25b.store.micros import micros
from op25b.store.raw import Raw
from op25b.store.tables import changes

Kind = Literal["prefix", "subscriber"]
Change = tuple[Kind, str]
"""(`prefix`, one whose holder is another now), or (`subscriber`, one to whom something else is granted now)."""

CHANNEL = "op25b_changes"
"""What PostgreSQL notifies on; the notice says nothing but that there is something new."""
_LOCK = 0x6F703236
"""The advisory lock under which ids are given out on PostgreSQL, so that their order is that of the commits."""


def note(connection: Connection, found: Iterable[Change], at: datetime) -> None:
    """Add to the feed, in the transaction of the changes themselves; call it last, as others wait from here on."""
    rows = [(kind, subject, micros(at)) for kind, subject in found]
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.execute(text(f"NOTIFY {CHANNEL}"))
    Raw(connection).many("INSERT INTO changes (kind, subject, at) VALUES (?, ?, ?)", rows)


def after(connection: Connection, last: int, limit: int = 10_000) -> list[tuple[int, Change]]:
    """(id, change) of the next changes after the one with the id `last`, oldest first."""
    rows = Raw(connection).rows("SELECT id, kind, subject FROM changes WHERE id > ? ORDER BY id LIMIT ?", last, limit)
    return [(number, (kind, subject)) for number, kind, subject in rows]


def newest(connection: Connection) -> int:
    """The id of the newest change, 0 where there never was one."""
    return _ends(connection)[1] or 0


def continues(connection: Connection, last: int) -> bool:
    """Whether `after` gives every change since the one with the id `last`: none was forgotten, and it is that store."""
    first, final = _ends(connection)
    if first is None or final is None:
        return last == 0
    return first <= last + 1 and last <= final


def _ends(connection: Connection) -> tuple[int | None, int | None]:
    """The ids of the oldest and the newest change; two queries in one, as SQLite looks up only one end in each."""
    ((first, final),) = Raw(connection).rows("SELECT (SELECT min(id) FROM changes), (SELECT max(id) FROM changes)")
    return first, final


def forget(connection: Connection, before: datetime) -> None:
    """Drop what every follower has seen long ago; the newest one stays, so that ids go on from there."""
    connection.execute(changes.delete().where(changes.c.at < before, changes.c.id < newest(connection)))
