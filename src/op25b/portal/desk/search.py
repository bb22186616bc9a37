"""One box for all: what is known by a word that somebody has, an address, a name, a number, a domain."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Connection, Select, func, select

from op25b.portal.desk import customers, queue
from op25b.portal.desk.checks import Checked, checked
from op25b.portal.desk.context import Context
from op25b.portal.desk.customers import CaseShown, ExemptionShown
from op25b.portal.staff.roles import Action, Person
from op25b.store.tables import accounts, exemptions, senders, sessions
from op25b.subscribers.exemptions import listing
from op25b.subscribers.exemptions.records import HIGHEST
from op25b.watch import cases

MOST = 20
"""Finds of each sort."""
LONGEST = 300


class Found(BaseModel):
    """What was found, of each sort what the person may see. `customer`: there is a page about just this."""

    customer: str | None = None
    subscribers: list[str] = []
    accounts: list[str] = []
    exemptions: list[ExemptionShown] = []
    cases: list[CaseShown] = []
    message: str | None = None
    check: Checked | None = None


def search(context: Context, person: Person, text: str) -> Found:
    """What begins with a text, or is it. Nothing for an empty one. Blocks."""
    text = text.strip()
    if not text:
        return Found()
    found = Found()
    with context.store.read() as connection:
        if person.may(Action.SEE_CUSTOMER):
            found.customer = text if customers.address(text) is not None else None
            found.subscribers = _texts(connection, select(sessions.c.subscriber), sessions.c.subscriber, text)
            found.accounts = _accounts(connection, text)
            found.check = checked(context.policy, text)
        if person.may(Action.SEE_EXEMPTIONS):
            found.exemptions = _exemptions(connection, context, text)
        if person.may(Action.SEE_CASES):
            found.cases = _cases(connection, text)
    if person.may(Action.SEE_QUEUE) and context.spool is not None:
        found.message = _message(context, text)
    return found


def _texts(connection: Connection, query: Select[Any], column: ColumnElement[str], text: str) -> list[str]:
    wanted = query.where(_begins(column, text)).distinct().order_by(column).limit(MOST)
    return list(connection.execute(wanted).scalars())


def _begins(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    # a range, for which an index serves; LIKE would need one of its own
    return (column >= text) & (column < text + "\U0010ffff")


def _accounts(connection: Connection, text: str) -> list[str]:
    named = select(accounts.c.name).outerjoin(senders, senders.c.account == accounts.c.id)
    wanted = text.lower()
    query = named.where(_begins(accounts.c.name, wanted) | _begins(senders.c.sender, wanted))
    return list(connection.execute(query.distinct().order_by(accounts.c.name).limit(MOST)).scalars())


def _exemptions(connection: Connection, context: Context, text: str) -> list[ExemptionShown]:
    at, number = context.clock(), _number(text)
    query = select(exemptions.c.id).where(
        (exemptions.c.id == number)
        | (exemptions.c.subscriber == text)
        | (exemptions.c.prefix == text)
        | (func.lower(exemptions.c.domain) == text.lower())
        | (exemptions.c.server == text)
    )
    numbers = connection.execute(query.order_by(exemptions.c.id.desc()).limit(MOST)).scalars().all()
    return [customers.exemption_shown(listing.one(connection, each, at)) for each in numbers]


def _cases(connection: Connection, text: str) -> list[CaseShown]:
    found = cases.of(connection, text, customers.address(text))
    if (number := _number(text)) is not None:
        found += cases.numbered(connection, [number])
    return [customers.case_shown(each) for each in {case.id: case for case in found}.values()][:MOST]


def _number(text: str) -> int | None:
    digits = text.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdecimal() and int(digits[:12]) <= HIGHEST else None


def _message(context: Context, text: str) -> str | None:
    try:
        return queue.one(context, text).queue_id
    except queue.NotThere:
        return None
