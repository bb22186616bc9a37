"""The audit trail: who changed what, when, why, from what to what. The database itself refuses to change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from op25b.store.tables import audit

State = Mapping[str, Any]


@dataclass(frozen=True)
class By:
    """Who makes a change, when and why; goes into the trail with it."""

    who: str
    at: datetime
    why: str


@dataclass(frozen=True)
class Entry:
    """One line of the trail. `before` is None for what is new, `after` for what is gone."""

    at: datetime
    who: str
    what: str
    subject: str
    why: str
    before: State | None
    after: State | None


def record(
    connection: Connection, by: By, what: str, subject: str, before: State | None = None, after: State | None = None
) -> None:
    """Add a line, in the transaction of the change itself. `before` and `after` must hold no secret."""
    connection.execute(
        insert(audit).values(at=by.at, who=by.who, what=what, subject=subject, why=by.why, before=before, after=after)
    )


def trail(connection: Connection, subject: str | None = None, limit: int | None = None) -> list[Entry]:
    """The last `limit` lines, of one subject or of all, oldest first."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    rows = [
        Entry(row.at, row.who, row.what, row.subject, row.why, row.before, row.after)
        for row in connection.execute(query)
    ]
    return rows[::-1]
