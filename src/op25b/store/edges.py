"""What hosts that filter report of themselves, so that whoever looks needs no privilege on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from op25b.store.tables import edges, refusals

KEPT = timedelta(days=35)
"""How long it is known how much was refused in an hour."""


@dataclass(frozen=True)
class Report:
    """How one host stands.

    `generation`: what is in force there, None: nothing; `policy_at`, `applied_at`: of its record, ISO 8601;
    `seconds_to_confirm`: it is taken back then unless it is confirmed; `counters`: packets by the name of a rule;
    `live`: exempt prefixes; `drift`: what is otherwise than it was applied;
    `in_step`: the live sets follow the store; `amiss`: members found wrong at the last look at all of them.
    """

    generation: int | None
    policy_at: str | None
    applied_at: str | None
    seconds_to_confirm: float | None
    counters: Mapping[str, int]
    live: int | None
    drift: tuple[str, ...]
    in_step: bool
    amiss: int


@dataclass(frozen=True)
class Edge:
    """One host, with what it said last, and when."""

    name: str
    at: datetime
    report: Report = field(compare=False)


def put(connection: Connection, name: str, report: Report, at: datetime) -> None:
    """Note what a host says; it takes the place of what it said before."""
    row: dict[str, Any] = {"at": at, "report": asdict(report)}
    if not connection.execute(update(edges).where(edges.c.name == name).values(row)).rowcount:
        connection.execute(insert(edges).values(name=name, **row))


def reports(connection: Connection) -> list[Edge]:
    """Every host, by name."""
    rows = connection.execute(select(edges).order_by(edges.c.name))
    return [Edge(row.name, row.at, Report(**row.report | {"drift": tuple(row.report["drift"])})) for row in rows]


def refused(connection: Connection, name: str, packets: int, at: datetime) -> None:
    """So many packets more were refused by a host in the hour of `at`. Forgets what is old."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    mine = (refusals.c.edge == name) & (refusals.c.hour == hour)
    if not connection.execute(update(refusals).where(mine).values(packets=refusals.c.packets + packets)).rowcount:
        connection.execute(insert(refusals).values(edge=name, hour=hour, packets=packets))
        connection.execute(delete(refusals).where(refusals.c.hour < hour - KEPT))


def by_hour(connection: Connection, since: datetime) -> list[tuple[datetime, int]]:
    """Packets that all hosts together refused in each hour; hours without one are left out."""
    query = select(refusals.c.hour, func.sum(refusals.c.packets)).where(refusals.c.hour >= since)
    return [
        (hour, int(packets)) for hour, packets in connection.execute(query.group_by(refusals.c.hour).order_by("hour"))
    ]
