"""Outages and maintenance: the desk writes of them in both languages, the pages and the console show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from op25b.errors import UserError
from op25b.policy.table import Words
from op25b.store.audit import By, record
from op25b.store.tables import bulletins

LONGEST = 2000
"""Characters of a text."""
AHEAD = timedelta(days=14)
"""How long before its beginning the pages tell of maintenance."""


class Kind(StrEnum):
    OUTAGE = "outage"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True)
class Draft:
    """What the desk writes. `until` None: nobody knows yet."""

    kind: Kind
    text: Words
    from_: datetime
    until: datetime | None


@dataclass(frozen=True)
class Bulletin:
    """One that is kept."""

    id: int
    kind: Kind
    text: Words
    from_: datetime
    until: datetime | None

    def holds(self, at: datetime) -> bool:
        """Whether it is on at that instant."""
        return self.from_ <= at and (self.until is None or at < self.until)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "ja": self.text.ja,
            "en": self.text.en,
            "from": self.from_.isoformat(),
            "until": self.until and self.until.isoformat(),
        }


def current(connection: Connection, at: datetime) -> list[Bulletin]:
    """What the pages tell: all that is on, and what is to come within AHEAD. Outages first, then by their beginning."""
    query = select(bulletins).where(_not_over(at), bulletins.c.from_at <= at + AHEAD)
    found = [_bulletin(row) for row in connection.execute(query)]
    return sorted(found, key=lambda each: (each.kind is not Kind.OUTAGE, each.from_, each.id))


def listed(connection: Connection, at: datetime | None = None) -> list[Bulletin]:
    """All by number, or those that are not over at an instant."""
    query = select(bulletins).order_by(bulletins.c.id)
    if at is not None:
        query = query.where(_not_over(at))
    return [_bulletin(row) for row in connection.execute(query)]


def add(connection: Connection, draft: Draft, by: By) -> Bulletin:
    """Keep one. Raises UserError for a text that is empty or too long, and for an end before the beginning."""
    for language, text in (("ja", draft.text.ja), ("en", draft.text.en)):
        if not text.strip() or len(text) > LONGEST or not text.replace("\n", " ").isprintable():
            raise UserError(f"the text in {language} is not plain text of 1 to {LONGEST} characters; write it anew")
    if draft.until is not None and draft.until <= draft.from_:
        raise UserError("it ends before it begins; write the end after the beginning, or leave it out")
    values = {
        "kind": draft.kind.value, "ja": draft.text.ja, "en": draft.text.en, "from_at": draft.from_,
        "until_at": draft.until, "created_at": by.at,
    }  # fmt: skip
    key = connection.execute(insert(bulletins).values(**values)).inserted_primary_key
    assert key is not None
    made = Bulletin(key[0], draft.kind, draft.text, draft.from_, draft.until)
    record(connection, by, "add", _subject(made), None, made.shown())
    return made


def end(connection: Connection, number: int, at: datetime, by: By) -> Bulletin:
    """It is over at `at`; one that had not begun is never shown. Raises UserError where there is none to end."""
    row = connection.execute(select(bulletins).where(bulletins.c.id == number)).one_or_none()
    if row is None:
        raise UserError(f"there is no bulletin {number}; `op25b bulletin list --all` shows those that there are")
    before = _bulletin(row)
    if before.until is not None and before.until <= by.at:
        raise UserError(f"bulletin {number} ended at {before.until.isoformat(timespec='minutes')}; nothing to do")
    connection.execute(update(bulletins).where(bulletins.c.id == number).values(until_at=at))
    now = Bulletin(number, before.kind, before.text, before.from_, at)
    record(connection, by, "end", _subject(now), before.shown(), now.shown())
    return now


def _not_over(at: datetime) -> Any:
    return or_(bulletins.c.until_at.is_(None), bulletins.c.until_at > at)


def _subject(bulletin: Bulletin) -> str:
    return f"bulletin {bulletin.id}"


def _bulletin(row: Any) -> Bulletin:
    return Bulletin(row.id, Kind(row.kind), Words(ja=row.ja, en=row.en), row.from_at, row.until_at)
