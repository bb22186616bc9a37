"""Which exemptions are in force at an instant: what the filter should hold, and what an answer rests on.

One that was granted holds from `from_at` until `until_at`, the first included, the last not; withdrawing or revoking
sets `until_at`, so that the past can be asked about too. Those of a subscriber who is in quarantine (now; the past of
the quarantine is in its cases) do not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, and_, bindparam, or_, select

from op25b.store.changes import Change
from op25b.store.columns import Micros
from op25b.store.micros import instant, micros
from op25b.store.raw import Raw, packed
from op25b.store.tables import exemptions, quarantine
from op25b.subscribers.exemptions.transitions import Kind

_CHUNK = 500
"""Values in one query; older SQLite takes 999 parameters."""


class Live(NamedTuple):
    """An exemption in force. `kind`: as in `transitions.Kind`; `prefix`: canonical, None for kind subscriber."""

    id: int
    kind: str
    subscriber: str | None
    prefix: str | None
    from_at: datetime
    until_at: datetime


def in_force(connection: Connection, at: datetime) -> list[Live]:
    """All of them, by id. One million take a few seconds."""
    return _live(connection, _in_force(at).order_by(exemptions.c.id))


def subjects_in_force(connection: Connection, at: datetime) -> list[tuple[str, str | None, str | None]]:
    """(kind, subscriber, prefix) of all of them, in no order: half the time of `in_force`, for one million."""
    columns = exemptions.c.kind, exemptions.c.subscriber, exemptions.c.prefix
    return [(kind, who, prefix) for kind, who, prefix in connection.execute(_in_force(at).with_only_columns(*columns))]


def between(connection: Connection, first: datetime, last: datetime) -> list[Live]:
    """Those in force at any instant from the one to the other, both included; by id."""
    return _live(connection, _in_force(first, last).order_by(exemptions.c.id))


def of_subscribers(connection: Connection, subscribers: Iterable[str], at: datetime) -> list[Live]:
    """Those of kind subscriber that these subscribers have."""
    asked = ({"at": at, "wanted": chunk} for chunk in _chunks(subscribers))
    return [live for each in asked for live in _live(connection, _OF_SUBSCRIBERS, each)]


def of_prefixes(connection: Connection, prefixes: Iterable[str], at: datetime) -> list[Live]:
    """Those of kind prefix or destination for just these prefixes (canonical texts), not for wider or narrower ones."""
    asked = ({"at": at, "wanted": chunk} for chunk in _chunks(prefixes))
    return [live for each in asked for live in _live(connection, _OF_PREFIXES, each)]


def subjects_of(
    connection: Connection, subscribers: Iterable[str], prefixes: Iterable[str], at: datetime
) -> list[tuple[str, str | None, str | None]]:
    """(kind, subscriber, prefix) of what `of_subscribers` and `of_prefixes` find, in no order; for each new lease."""
    raw, now, found = Raw(connection), micros(at), []
    for column, values, kind in (
        ("subscriber", subscribers, "= 'subscriber'"),
        ("prefix", prefixes, "<> 'subscriber'"),
    ):
        found += raw.rows(
            f"SELECT e.kind, e.subscriber, e.prefix FROM {raw.given(value=str)} CROSS JOIN exemptions e "
            f"WHERE e.{column} = given.value AND e.kind {kind} AND e.granted_at IS NOT NULL "
            "AND e.from_at <= ? AND e.until_at > ? "
            "AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.subscriber = e.subscriber)",
            packed([value] for value in values),
            now,
            now,
        )
    return [(kind, who, prefix) for kind, who, prefix in found]


def of_address(connection: Connection, address: IPv4Address | IPv6Address, at: datetime) -> list[Live]:
    """Those of kind prefix or destination that cover an address."""
    covering = ip_network(address)
    return of_prefixes(connection, (str(covering.supernet(new_prefix=length)) for length in _lengths(address)), at)


def next_moment(connection: Connection, after: datetime) -> datetime | None:
    """The next instant at which one begins or ends by itself; None if none will. Quarantine is not looked at."""
    raw, found = Raw(connection), []
    for column in ("from_at", "until_at"):
        # not min(): the first of the index is at hand, with one million too
        query = (
            f"SELECT {column} FROM exemptions WHERE granted_at IS NOT NULL AND {column} > ? ORDER BY {column} LIMIT 1"
        )
        found += raw.rows(query, micros(after))
    return min((instant(moment) for (moment,) in found), default=None)


def turned(connection: Connection, after: datetime, until: datetime) -> list[Change]:
    """Whom those concern that began or ended by themselves after the one instant and not after the other."""
    query = select(exemptions.c.kind, exemptions.c.subscriber, exemptions.c.prefix).where(
        exemptions.c.granted_at.is_not(None),
        or_(*(column.between(after, until) for column in (exemptions.c.from_at, exemptions.c.until_at))),
    )
    rows = connection.execute(query)
    return [("subscriber", who) if kind == Kind.SUBSCRIBER else ("prefix", prefix) for kind, who, prefix in rows]


def changes_of(connection: Connection, subscriber: str) -> list[Change]:
    """What to note in the feed when a subscriber goes into quarantine or leaves it."""
    query = select(exemptions.c.prefix).where(
        exemptions.c.subscriber == subscriber, exemptions.c.granted_at.is_not(None), exemptions.c.prefix.is_not(None)
    )
    prefixes: list[Change] = [("prefix", prefix) for prefix in connection.execute(query.distinct()).scalars()]
    return [("subscriber", subscriber), *prefixes]


def holding(at: datetime | BindParameter[datetime], last: datetime | None = None) -> ColumnElement[bool]:
    """The condition for a row to be in force at an instant, or at any from that to `last`, both included."""
    quarantined = select(quarantine.c.subscriber).where(quarantine.c.subscriber == exemptions.c.subscriber)
    return and_(
        exemptions.c.granted_at.is_not(None),
        exemptions.c.from_at <= (at if last is None else last),
        exemptions.c.until_at > at,
        ~quarantined.exists(),
    )


def _in_force(at: datetime | BindParameter[datetime], last: datetime | None = None) -> Select[Any]:
    return select(*(exemptions.c[name] for name in Live._fields)).where(holding(at, last))


# written once: they are asked for each change of a lease, and writing one takes ten times as long as the database does
_AT = bindparam("at", type_=Micros())
_WANTED: BindParameter[Any] = bindparam("wanted", expanding=True)
_OF_SUBSCRIBERS = _in_force(_AT).where(exemptions.c.kind == Kind.SUBSCRIBER, exemptions.c.subscriber.in_(_WANTED))
_OF_PREFIXES = _in_force(_AT).where(exemptions.c.prefix.in_(_WANTED))


def _live(connection: Connection, query: Select[Any], given: Mapping[str, Any] | None = None) -> list[Live]:
    return [Live._make(row) for row in connection.execute(query, given)]


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    distinct = list(dict.fromkeys(values))
    return (distinct[start : start + _CHUNK] for start in range(0, len(distinct), _CHUNK))


def _lengths(address: IPv4Address | IPv6Address) -> range:
    return range(address.max_prefixlen + 1)
