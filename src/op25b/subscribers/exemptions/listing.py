"""Looking at exemptions: lists of them as time has left them, and how many there are."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from op25b.store.tables import exemptions
from op25b.subscribers.exemptions import queries, records
from op25b.subscribers.exemptions.records import Exemption
from op25b.subscribers.exemptions.transitions import LIVE, Kind, State

COUNTED = ("asked", "granted", "refused", "in_force")


def listed(
    connection: Connection,
    at: datetime,
    states: Collection[State] = tuple(State),
    kinds: Collection[Kind] = tuple(Kind),
    subscriber: str | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[Exemption]:
    """Those in some of these states at that instant, by number, from the one after `after` on."""
    query = select(exemptions).where(
        or_(*(_stands(state, at) for state in states)), exemptions.c.kind.in_(kinds), exemptions.c.id > after
    )
    if subscriber is not None:
        query = query.where(exemptions.c.subscriber == subscriber)
    found = records.all_of(connection, query.order_by(exemptions.c.id).limit(limit))
    return [exemption.at(at) for exemption in found]


def one(connection: Connection, number: int, at: datetime) -> Exemption:
    """One of them. Raises records.NotThere."""
    return records.found(connection, number).at(at)


def counts(connection: Connection, at: datetime) -> dict[str, dict[str, int]]:
    """How many were asked for, granted and refused, and how many are in force, by kind: no names, fit to publish."""
    holds = queries.holding(at)
    sums = (
        func.count(),
        func.count(exemptions.c.granted_at),
        func.sum(case((exemptions.c.state == State.REFUSED, 1), else_=0)),
        func.sum(case((holds, 1), else_=0)),
    )
    query = select(exemptions.c.kind, *sums).group_by(exemptions.c.kind)
    found = {str(kind): dict(zip(COUNTED, row, strict=True)) for kind, *row in connection.execute(query)}
    return {kind.value: found.get(kind, dict.fromkeys(COUNTED, 0)) for kind in Kind}


def next_review(connection: Connection, at: datetime) -> datetime | None:
    """When the next of those in force is looked at again; None where there is none."""
    due = select(func.min(exemptions.c.review_at)).where(queries.holding(at), exemptions.c.review_at > at)
    found: datetime | None = connection.execute(due).scalar()
    return found


def by_state(connection: Connection, at: datetime) -> dict[State, int]:
    """How many stand in each state at an instant."""
    sums = [func.sum(case((_stands(state, at), 1), else_=0)) for state in State]
    row = connection.execute(select(*sums).select_from(exemptions)).one()
    return {state: int(count or 0) for state, count in zip(State, row, strict=True)}


def _stands(state: State, at: datetime) -> ColumnElement[Any]:
    """The condition for a row to stand in a state at an instant: `transitions.at_time` as the database does it."""
    live, stored = exemptions.c.state.in_(LIVE), exemptions.c.state == state
    past, due = exemptions.c.until_at <= at, exemptions.c.review_at <= at
    match state:
        case State.GRANTED:
            return and_(stored, ~due, ~past)
        case State.EXPIRING:
            return and_(live, ~past, or_(stored, due))
        case State.ENDED:
            return or_(stored, and_(live, past))
    return stored
