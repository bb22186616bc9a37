"""Who gets which notice, and what became of it: the store's. Every run leaves a line in the audit trail."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, case, func, insert, or_, select, update

from op25b.rollout.gates import Tally
from op25b.rollout.recipients import Person
from op25b.store import Store
from op25b.store.audit import By, record
from op25b.store.once import PREFIX, State, expect
from op25b.store.tables import notices, once

CHUNK = 500
"""Values in one query; SQLite takes 32,766 in all, PostgreSQL 65,535."""
T = TypeVar("T")
_LOST = (State.FAILED, State.DOUBT)


@dataclass(frozen=True)
class Mail:
    """A notice that is still to be sent. `key`: the message's, see `op25b.store.once`."""

    id: int
    key: str
    person: Person


@dataclass(frozen=True)
class Told:
    """A notice to one subscriber: what the desk sees. `outcome`: sending, waiting, delivered, bounced, refused..."""

    phase: str
    stage: str
    way: str
    address: str | None
    planned_at: datetime
    taken_at: datetime | None
    printed_at: datetime | None
    outcome: str
    detail: str


class Records:
    """Of one store. Methods raise UserError when it cannot be used. `token`: what nobody can guess."""

    def __init__(self, store: Store, token: Callable[[], str] = lambda: secrets.token_hex(16)) -> None:
        self._store, self._token = store, token

    def plan(self, phase: str, stage: str, people: Sequence[Person], by: By) -> list[Mail]:
        """Note who is to get a notice, once for each; the mails among them that no server has taken yet.

        Who was noted before, in a run that was broken off, keeps the key; a new address counts if nothing was sent.
        """
        found: list[Mail] = []
        with self._store.write() as connection:
            record(connection, by, "notice begun", f"phase/{phase}", None, {"stage": stage, "people": len(people)})
        for chunk in _chunks(people):
            # the relay writes here, too: a long list must not keep it waiting
            with self._store.write() as connection:
                known = _known(connection, phase, stage, chunk)
                self._add(connection, phase, stage, [each for each in chunk if each.id not in known], by.at)
                for person in chunk:
                    if person.id in known:
                        self._renew(connection, known[person.id], person, by.at)
                found += _to_send(connection, phase, stage, chunk)
        return found

    def _add(self, connection: Connection, phase: str, stage: str, people: Sequence[Person], at: datetime) -> None:
        rows = [self._row(person) for person in people]
        expect(connection, [row["key"] for row in rows if row["key"]], at)
        named = [dict(row, phase=phase, stage=stage, planned_at=at) for row in rows]
        if named:
            connection.execute(insert(notices), named)

    def _row(self, person: Person) -> dict[str, Any]:
        mail = person.way == "mail"
        return {
            "subscriber": person.id,
            "language": "+".join(person.languages),
            "way": person.way,
            "address": person.email if mail else None,
            "key": PREFIX + self._token() if mail else None,
        }

    def _renew(self, connection: Connection, row: Any, person: Person, at: datetime) -> None:
        """A file that was corrected between two runs."""
        if row.taken_at is not None or row.printed_at is not None or row.refused is not None:
            return
        if row.key is not None:
            if person.email and person.email != row.address:
                connection.execute(update(notices).where(notices.c.id == row.id).values(address=person.email))
        elif person.way != row.way:
            values = self._row(person)
            expect(connection, [values["key"]] if values["key"] else [], at)
            connection.execute(update(notices).where(notices.c.id == row.id).values(**values))

    def taken(self, number: int, at: datetime) -> None:
        """The sending server has the mail."""
        with self._store.write() as connection:
            connection.execute(update(notices).where(notices.c.id == number).values(taken_at=at))

    def refused(self, number: int, text: str) -> None:
        """The sending server will not take mail for this address."""
        with self._store.write() as connection:
            connection.execute(update(notices).where(notices.c.id == number).values(refused=text))

    def seen(self, key: str) -> bool:
        """Whether a relay has come upon the message."""
        with self._store.read() as connection:
            return connection.scalar(select(once.c.queue_id).where(once.c.key == key)) is not None

    def to_print(self, phase: str, stage: str) -> dict[str, str]:
        """Who is to be reached on paper and was not: subscriber to why."""
        query = (
            select(notices.c.subscriber, notices.c.way, notices.c.refused, once.c.state, once.c.detail)
            .select_from(_with_once())
            .where(notices.c.phase == phase, notices.c.stage == stage, _on_paper(), notices.c.printed_at.is_(None))
            .order_by(notices.c.id)
        )
        with self._store.read() as connection:
            return {row.subscriber: _why(row) for row in connection.execute(query)}

    def printed(self, phase: str, stage: str, subscribers: Sequence[str], by: By) -> None:
        """Their letters are in a file."""
        with self._store.write() as connection:
            for chunk in _chunks(subscribers):
                chosen = and_(notices.c.phase == phase, notices.c.stage == stage, notices.c.subscriber.in_(chunk))
                connection.execute(update(notices).where(chosen).values(printed_at=by.at))
            after = {"stage": stage, "people": len(subscribers)}
            record(connection, by, "notice printed", f"phase/{phase}", None, after)

    def bounced(self, key: str, detail: str, at: datetime) -> bool:
        """A report has come back about a mail that had been handed on; False: it is no notice's, or known."""
        with self._store.write() as connection:
            known = select(notices.c.key).where(notices.c.key == key)
            chosen = and_(once.c.key.in_(known), once.c.state != State.FAILED)
            done = connection.execute(update(once).where(chosen).values(state=State.FAILED, detail=detail, at=at))
            return bool(done.rowcount)

    def finished(self, phase: str, stage: str, counts: dict[str, int], by: By) -> None:
        """A line in the trail: what a run did."""
        with self._store.write() as connection:
            record(connection, by, "notice sent", f"phase/{phase}", None, {"stage": stage, **counts})

    def tallies(self, phase: str) -> dict[str, Tally]:
        """By stage, in the order in which they were begun."""
        query = (
            select(
                notices.c.stage,
                func.count().label("people"),
                _count(notices.c.way == "mail").label("mail"),
                _count(_TAKEN).label("taken"),
                _count(once.c.state.in_((State.WAITING, State.HANDING))).label("waiting"),
                _count(once.c.state == State.DELIVERED).label("delivered"),
                _count(once.c.state == State.FAILED).label("bounced"),
                _count(once.c.state == State.DOUBT).label("in_doubt"),
                _count(notices.c.refused.is_not(None)).label("refused"),
                _count(and_(_on_paper(), notices.c.printed_at.is_(None))).label("to_print"),
                _count(notices.c.printed_at.is_not(None)).label("printed"),
            )
            .select_from(_with_once())
            .where(notices.c.phase == phase)
            .group_by(notices.c.stage)
            .order_by(func.min(notices.c.id))
        )
        with self._store.read() as connection:
            return {row.stage: Tally(*row[1:]) for row in connection.execute(query)}

    def told(self, subscriber: str) -> list[Told]:
        """What a subscriber was told, newest first."""
        query = (
            select(notices, once.c.state, once.c.detail)
            .select_from(_with_once())
            .where(notices.c.subscriber == subscriber)
            .order_by(notices.c.id.desc())
        )
        with self._store.read() as connection:
            return [
                Told(
                    row.phase, row.stage, row.way, row.address, row.planned_at, row.taken_at, row.printed_at,
                    _outcome(row), row.refused or row.detail or "",
                )
                for row in connection.execute(query)
            ]  # fmt: skip


_TAKEN = or_(notices.c.taken_at.is_not(None), once.c.queue_id.is_not(None))
"""A relay has come upon it, or the server said so before the sender could write it down."""


def _with_once() -> Any:
    return notices.outerjoin(once, notices.c.key == once.c.key)


def _on_paper() -> Any:
    return or_(notices.c.way != "mail", notices.c.refused.is_not(None), once.c.state.in_(_LOST))


def _count(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def _known(connection: Connection, phase: str, stage: str, people: Sequence[Person]) -> dict[str, Any]:
    ids = [person.id for person in people]
    chosen = and_(notices.c.phase == phase, notices.c.stage == stage, notices.c.subscriber.in_(ids))
    return {row.subscriber: row for row in connection.execute(select(notices).where(chosen))}


def _to_send(connection: Connection, phase: str, stage: str, people: Sequence[Person]) -> list[Mail]:
    by_id = {person.id: person for person in people}
    query = (
        select(notices.c.id, notices.c.key, notices.c.subscriber, notices.c.address)
        .select_from(_with_once())
        .where(
            notices.c.phase == phase,
            notices.c.stage == stage,
            notices.c.subscriber.in_(list(by_id)),
            notices.c.way == "mail",
            notices.c.refused.is_(None),
            ~_TAKEN,
        )
        .order_by(notices.c.id)
    )
    return [
        Mail(row.id, row.key, replace(by_id[row.subscriber], email=row.address)) for row in connection.execute(query)
    ]


def _why(row: Any) -> str:
    if row.refused is not None:
        return f"the sending server refused the address: {row.refused}"
    if row.state in _LOST:
        return f"the mail {'came back' if row.state == State.FAILED else 'may not have arrived'}: {row.detail}"
    return f"no mail address; {row.way}"


def _outcome(row: Any) -> str:
    if row.printed_at is not None:
        return "printed"
    if row.refused is not None:
        return "refused"
    if row.key is None:
        return "to-print"
    state = State(row.state)
    return {State.EXPECTED: "taken" if row.taken_at else "to-send", State.FAILED: "bounced"}.get(state, state)
