"""The audit trail, searched: who did it, to what, what it was, and why."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import or_, select

from op25b.portal.desk.context import Context
from op25b.store.tables import audit
from op25b.subscribers.exemptions.records import HIGHEST

PAGE = 100
LONGEST = 200


class Line(BaseModel):
    """One change. `before` null: it is new; `after` null: it is gone."""

    id: int
    at: AwareDatetime
    who: str
    what: str
    subject: str
    why: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def differences(self) -> list[tuple[str, Any, Any]]:
        """What is otherwise after a change: name, before, after."""
        before, after = self.before or {}, self.after or {}
        return [(name, before[name], after.get(name)) for name in before if before[name] != after.get(name)]


class Trail(BaseModel):
    """A page of it, newest first. `next`: the `before` of the next one, null on the last."""

    lines: list[Line]
    next: int | None


def look(context: Context, text: str = "", before: int | None = None) -> Trail:
    """Lines with a text in who, what, to what, or why, older than the line of the number `before`."""
    query = select(audit).order_by(audit.c.id.desc()).limit(PAGE + 1)
    if text := text.strip()[:LONGEST]:
        columns = (audit.c.who, audit.c.what, audit.c.subject, audit.c.why)
        query = query.where(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    if before is not None:
        query = query.where(audit.c.id < min(before, HIGHEST))
    with context.store.read() as connection:
        found = [Line.model_validate(dict(row)) for row in connection.execute(query).mappings()]
    return Trail(lines=found[:PAGE], next=found[PAGE - 1].id if len(found) > PAGE else None)
