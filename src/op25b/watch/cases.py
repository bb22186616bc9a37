"""Cases and the quarantine list in the store. Every change of a case's state has its line in the audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from op25b.errors import UserError
from op25b.policy.intervals import Address
from op25b.policy.watching import SenderKind
from op25b.store import changes
from op25b.store.audit import By, record
from op25b.store.tables import cases, quarantine
from op25b.watch.states import State, Step, after

Evidence = Mapping[str, Any]


class NotThere(UserError):
    """There is no such case."""


class NotPossible(UserError):
    """The case's state does not allow the step."""


class Stale(NotPossible):
    """The case has changed since it was looked at."""


CHUNK = 500
"""Values in one query; SQLite takes 32,766 in all, PostgreSQL 65,535."""


@dataclass(frozen=True)
class Case:
    """One case. `prefix`: the address that tried, as it was first seen; `notice`: the key of a text, once it is due."""

    id: int
    subscriber: str | None
    prefix: str
    kind: SenderKind
    state: State
    first_at: datetime
    last_at: datetime
    attempts: int
    targets: int
    evidence: Evidence
    notice: str | None
    noticed_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        found = dict(vars(self))
        return {key: each.isoformat() if isinstance(each, datetime) else each for key, each in found.items()}

    @property
    def who(self) -> str:
        """The subscriber, or the address."""
        return self.subscriber or self.prefix


@dataclass(frozen=True)
class Seen:
    """What is written of a case each time; its identity and state apart."""

    kind: SenderKind
    first_at: datetime
    last_at: datetime
    attempts: int
    targets: int
    evidence: Evidence
    pattern: Mapping[str, Any]


_SHOWN = [column for column in cases.c if column.name != "pattern"]


def find(connection: Connection, number: int) -> Case:
    """Raises NotThere."""
    row = connection.execute(select(*_SHOWN).where(cases.c.id == number)).one_or_none()
    if row is None:
        raise NotThere(f"there is no case {number}; `op25b watch list --all` shows those that are kept")
    return _case(row)


def listed(connection: Connection, closed: bool = False, since: datetime | None = None) -> list[Case]:
    """The open cases, or all; those of which something was seen at `since` or later. Oldest first."""
    query = select(*_SHOWN).order_by(cases.c.id)
    if not closed:
        query = query.where(cases.c.closed_at.is_(None))
    if since is not None:
        query = query.where(cases.c.last_at >= since)
    return [_case(row) for row in connection.execute(query)]


def of(connection: Connection, subscriber: str | None, address: Address | None) -> list[Case]:
    """All cases that are kept of a subscriber, and of an address that nobody was known to hold; newest first."""
    whose = [cases.c.subscriber == subscriber] if subscriber is not None else []
    if address is not None:
        prefix = str(ip_network((address, 32 if address.version == 4 else 64), strict=False))
        whose.append(cases.c.prefix == prefix)
    if not whose:
        return []
    return [_case(row) for row in connection.execute(select(*_SHOWN).where(or_(*whose)).order_by(cases.c.id.desc()))]


def numbered(connection: Connection, numbers: Iterable[int]) -> list[Case]:
    """Those of these numbers that there are."""
    return [_case(row) for row in connection.execute(select(*_SHOWN).where(cases.c.id.in_(list(numbers))))]


def open_of(
    connection: Connection, subscribers: Iterable[str], prefixes: Iterable[str]
) -> list[tuple[Case, Mapping[str, Any]]]:
    """The open cases of subscribers, and of addresses that nobody is known to hold; each with its stored pattern."""
    found = list[tuple[Case, Mapping[str, Any]]]()
    for column, unknown, names in ((cases.c.subscriber, False, subscribers), (cases.c.prefix, True, prefixes)):
        for part in _parts(list(names)):
            query = select(*_SHOWN, cases.c.pattern).where(cases.c.closed_at.is_(None), column.in_(part))
            if unknown:
                query = query.where(cases.c.subscriber.is_(None))
            found += [(_case(row), row.pattern) for row in connection.execute(query)]
    return found


def current(connection: Connection, numbers: Iterable[int]) -> dict[int, Case]:
    """Open cases by number, as they are now: an operator may have closed one."""
    found = dict[int, Case]()
    for part in _parts(list(numbers)):
        query = select(*_SHOWN).where(cases.c.closed_at.is_(None), cases.c.id.in_(part))
        found |= {row.id: _case(row) for row in connection.execute(query)}
    return found


def waiting(connection: Connection, quiet_since: datetime, notice: Iterable[str], put: Iterable[str]) -> list[Case]:
    """Open cases of which something may be due: quiet, or of the kinds that get notice, or are then quarantined."""
    on = or_(
        cases.c.last_at <= quiet_since,
        and_(cases.c.state == State.OPEN, cases.c.kind.in_(list(notice))),
        and_(cases.c.state == State.NOTICED, cases.c.kind.in_(list(put))),
    )
    return [_case(row) for row in connection.execute(select(*_SHOWN).where(cases.c.closed_at.is_(None), on))]


def by_kind(connection: Connection) -> dict[SenderKind, int]:
    """How many open cases there are of each kind."""
    query = select(cases.c.kind, func.count()).where(cases.c.closed_at.is_(None)).group_by(cases.c.kind)
    found = {str(kind): int(count) for kind, count in connection.execute(query)}
    return {kind: found.get(kind, 0) for kind in SenderKind}


def number_open(connection: Connection) -> int:
    """How many cases are open."""
    return connection.execute(select(func.count()).where(cases.c.closed_at.is_(None))).scalar_one()


def opened(connection: Connection, subscriber: str | None, prefix: str, seen: Seen, by: By) -> Case:
    """A new case."""
    values = {"subscriber": subscriber, "prefix": prefix, "state": State.OPEN, "opened_at": by.at, **vars(seen)}
    number = connection.execute(insert(cases).values(**values)).inserted_primary_key
    assert number is not None
    made = find(connection, number[0])
    record(connection, by, "open", subject(made), None, _summary(made))
    return made


def seen_again(connection: Connection, case: Case, seen: Seen, by: By) -> Case:
    """Write what is known now; another kind has its line in the trail."""
    connection.execute(update(cases).where(cases.c.id == case.id).values(**vars(seen)))
    now = find(connection, case.id)
    if now.kind is not case.kind:
        record(connection, by, "kind", subject(case), _summary(case), _summary(now))
    return now


def step(connection: Connection, case: Case, taken: Step, by: By) -> Case:
    """Move a case on, with all that hangs on it, in one transaction with the evidence that it holds.

    Raises NotPossible where the case's state does not allow it, or there is nobody to quarantine. Call it last in the
    transaction: it notes changes.
    """
    state = after(case.state, taken)
    if state is None:
        raise NotPossible(f"case {case.id} is {case.state}: {taken} is not possible")
    if taken is Step.QUARANTINE and case.subscriber is None:
        raise NotPossible(f"nobody is known to hold {case.prefix}, so that nobody can be quarantined")
    values: dict[str, Any] = {"state": state}
    if taken is Step.NOTICE:
        values |= {"notice": f"watch/{case.kind}", "noticed_at": by.at}
    if taken is Step.CLOSE:
        values |= {"closed_at": by.at}
    connection.execute(update(cases).where(cases.c.id == case.id).values(**values))
    now = find(connection, case.id)
    record(connection, by, taken.value, subject(case), _summary(case), _summary(now))
    if taken is Step.QUARANTINE:
        assert case.subscriber is not None
        connection.execute(insert(quarantine).values(subscriber=case.subscriber, case=case.id, since=by.at))
    if State.QUARANTINED in (case.state, state):
        if taken is not Step.QUARANTINE:
            connection.execute(delete(quarantine).where(quarantine.c.case == case.id))
        changes.note(connection, [("subscriber", case.subscriber or "")], by.at)
    return now


def quarantined(connection: Connection) -> list[tuple[str, int, datetime]]:
    """(subscriber, case, since) of the quarantine list."""
    query = select(quarantine.c.subscriber, quarantine.c.case, quarantine.c.since).order_by(quarantine.c.since)
    return [(row.subscriber, row.case, row.since) for row in connection.execute(query)]


def forget(connection: Connection, before: datetime) -> int:
    """Drop the cases that were closed before; how many."""
    return connection.execute(delete(cases).where(cases.c.closed_at < before)).rowcount


def subject(case: Case) -> str:
    """How the audit trail names a case."""
    return f"case {case.id}"


def _summary(case: Case) -> dict[str, Any]:
    return {
        "subscriber": case.subscriber,
        "prefix": case.prefix,
        "kind": case.kind,
        "state": case.state,
        "attempts": case.attempts,
        "targets": case.targets,
        "notice": case.notice,
    }


def _case(row: Any) -> Case:
    found = {name: getattr(row, name) for name in Case.__dataclass_fields__}
    return Case(**{**found, "kind": SenderKind(row.kind), "state": State(row.state)})


def _parts(names: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (names[at : at + CHUNK] for at in range(0, len(names), CHUNK))
