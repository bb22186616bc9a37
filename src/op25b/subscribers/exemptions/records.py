"""An exemption as it lies in the store, and its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, text, update

from op25b.errors import UserError
from op25b.store.audit import By, record
from op25b.store.changes import Change
from op25b.store.tables import exemptions
from op25b.subscribers.exemptions.criteria import Criterion, Finding, Span
from op25b.subscribers.exemptions.request import Asked
from op25b.subscribers.exemptions.transitions import Kind, State, at_time

_LOCK = 0x6F703237
"""The advisory lock under which PostgreSQL changes exemptions one after the other: quotas count them."""


HIGHEST = 2**31 - 1
"""Number that an exemption can have: of an integer key on PostgreSQL."""


class NotThere(UserError):
    """There is no such exemption."""


@dataclass(frozen=True)
class Approval:
    """One person's. `pending`: another person is still to approve; `until_at`: of a renewal, what is approved."""

    who: str
    at: datetime
    overrides: Mapping[str, str]
    """Why a criterion that failed does not stand in the way: criterion to reason."""
    until_at: datetime | None = None
    pending: bool = False

    def shown(self) -> dict[str, Any]:
        """As it is stored and shown."""
        until = None if self.until_at is None else self.until_at.isoformat()
        return {**vars(self), "at": self.at.isoformat(), "until_at": until, "overrides": dict(self.overrides)}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Approval:
        """From what `shown` gives."""
        until = None if stored["until_at"] is None else datetime.fromisoformat(stored["until_at"])
        at = datetime.fromisoformat(stored["at"])
        return cls(stored["who"], at, stored["overrides"], until, stored["pending"])


@dataclass(frozen=True)
class Exemption:
    """One exemption. `asked` has its instants as asked for until it is granted, as granted from then on."""

    id: int
    asked: Asked
    state: State
    granted_at: datetime | None
    findings: tuple[Finding, ...]
    approvals: tuple[Approval, ...]
    requested_by: str
    requested_at: datetime
    changed_at: datetime
    version: int

    def at(self, at: datetime) -> Exemption:
        """With the state that time alone has brought it to."""
        return replace(self, state=at_time(self.state, self.asked.review_at, self.asked.until_at, at))

    @property
    def changes(self) -> list[Change]:
        """What to note in the feed when it begins or ends to be in force, or does so later."""
        if self.asked.prefix is not None:
            return [("prefix", self.asked.prefix)]
        assert self.asked.subscriber is not None
        return [("subscriber", self.asked.subscriber)]

    def failed(self) -> set[Criterion]:
        """Criteria that it does not meet."""
        return {finding.criterion for finding in self.findings if not finding.passed}

    def shown(self) -> dict[str, Any]:
        """All of it, for JSON and for the audit trail."""
        asked = vars(self.asked)
        instants = {name: _iso(value) for name, value in asked.items() if name.endswith("_at")}
        return {
            "id": self.id, "state": self.state, **asked, **instants, "granted_at": _iso(self.granted_at),
            "findings": [finding.shown() for finding in self.findings],
            "approvals": [approval.shown() for approval in self.approvals],
            "requested_by": self.requested_by, "requested_at": _iso(self.requested_at),
            "changed_at": _iso(self.changed_at), "version": self.version,
        }  # fmt: skip


def subject(number: int) -> str:
    """How the audit trail calls an exemption."""
    return f"exemption {number}"


def lock(connection: Connection) -> None:
    """Be the only one who changes exemptions until the transaction ends. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def found(connection: Connection, number: int) -> Exemption:
    """The exemption of that number. Raises NotThere."""
    row = connection.execute(select(exemptions).where(exemptions.c.id == number)).first()
    if row is None:
        raise NotThere(f"there is no exemption {number}; `op25b exempt list --all` shows all")
    return _of(row)


def all_of(connection: Connection, query: Select[Any]) -> list[Exemption]:
    """Those that a query of whole rows gives."""
    return [_of(row) for row in connection.execute(query)]


def add(connection: Connection, asked: Asked, by: By) -> Exemption:
    """A request, with its line in the audit trail."""
    row = {
        **vars(asked), "state": State.REQUESTED, "findings": [], "approvals": [], "requested_by": by.who,
        "requested_at": by.at, "changed_at": by.at, "version": 1,
    }  # fmt: skip
    key = connection.execute(insert(exemptions).values(row)).inserted_primary_key
    assert key is not None
    made = Exemption(key[0], asked, State.REQUESTED, None, (), (), by.who, by.at, by.at, 1)
    record(connection, by, "request", subject(made.id), None, made.shown())
    return made


def put(connection: Connection, before: Exemption, after: Exemption, what: str, by: By) -> Exemption:
    """Store a change, with its line in the audit trail; the version goes up."""
    after = replace(after, version=before.version + 1, changed_at=by.at)
    row = {
        "state": after.state, "granted_at": after.granted_at, "from_at": after.asked.from_at,
        "review_at": after.asked.review_at, "until_at": after.asked.until_at,
        "findings": [finding.shown() for finding in after.findings],
        "approvals": [approval.shown() for approval in after.approvals],
        "changed_at": by.at, "version": after.version,
    }  # fmt: skip
    connection.execute(update(exemptions).where(exemptions.c.id == before.id).values(row))
    record(connection, by, what, subject(before.id), before.shown(), after.shown())
    return after


def with_span(asked: Asked, span: Span) -> Asked:
    """With the instants that were granted."""
    return replace(asked, from_at=span.from_at, review_at=span.review_at, until_at=span.until_at)


def _of(row: Any) -> Exemption:
    asked = Asked(
        Kind(row.kind), row.subscriber, row.prefix, row.reason, row.from_at, row.review_at, row.until_at,
        row.domain, row.server, row.fee_accepted,
    )  # fmt: skip
    return Exemption(
        row.id, asked, State(row.state), row.granted_at, tuple(Finding.of(each) for each in row.findings),
        tuple(Approval.of(each) for each in row.approvals), row.requested_by, row.requested_at, row.changed_at,
        row.version,
    )  # fmt: skip


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
