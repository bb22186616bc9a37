"""A lost password by post: customers ask on the page, the desk compares with its files, prints, sends (claim I16).

The new password is made when the letter is printed and is in no other place. A letter that was spoiled is printed
again, with another password, which makes the earlier letter worthless.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from op25b.errors import UserError
from op25b.policy.credentials import Reissue as Terms
from op25b.policy.table import Words
from op25b.store.audit import By, record
from op25b.store.engine import Store
from op25b.store.tables import reissues
from op25b.subscribers.credentials.issuing import Issued, Issuing, Suspended

HIGHEST = 2**31 - 1
"""Number that a request can have: of an integer key on PostgreSQL."""


class State(StrEnum):
    """Where a request stands."""

    REQUESTED = "requested"
    PRINTED = "printed"
    SENT = "sent"
    REFUSED = "refused"


NEXT: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.REQUESTED: frozenset({State.PRINTED, State.REFUSED}),
        State.PRINTED: frozenset({State.PRINTED, State.SENT, State.REFUSED}),
        State.SENT: frozenset(),
        State.REFUSED: frozenset(),
    }
)
"""What each state can become."""
OPEN = frozenset(state for state, later in NEXT.items() if later)


class NotThere(UserError):
    """There is no such request."""


class Conflict(UserError):
    """It is in another state than the step is for."""


@dataclass(frozen=True)
class Wanted:
    """What the customer says. `address`: as `names.sender` gives it; `postal`: where they live, for comparison only."""

    brand: str
    address: str
    name: str
    contract: str
    postal: str
    language: str


@dataclass(frozen=True)
class Reissue:
    """A request. `fee`: what was accepted when it was made, None if it was free of charge then."""

    id: int
    state: State
    wanted: Wanted
    fee: Words | None
    visitor: str
    requested_at: datetime
    changed_at: datetime

    def shown(self) -> dict[str, Any]:
        """All of it, for JSON."""
        fee = None if self.fee is None else self.fee.model_dump()
        return {
            "id": self.id, "state": self.state, **vars(self.wanted), "fee": fee, "visitor": self.visitor,
            "requested_at": self.requested_at.isoformat(), "changed_at": self.changed_at.isoformat(),
        }  # fmt: skip

    def kept(self) -> dict[str, Any]:
        """What the audit trail, which is for ever, needs: no name, no postal address."""
        shown = self.shown()
        return {key: shown[key] for key in ("state", "brand", "address", "fee")}


Letter = Callable[[Reissue, Issued], object]
"""Prints."""


def fee_due(terms: Terms, at: datetime) -> Words | None:
    """What a request made at this instant costs; None: nothing, in the window that is free of charge."""
    free = terms.free
    return None if free is not None and free.from_ <= at < free.until else terms.fee


class Reissues:
    """The requests of one store. Methods block. Each change has its line in the audit trail.

    Steps raise NotThere and Conflict, both UserError; nothing is changed then.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def request(self, wanted: Wanted, fee: Words | None, visitor: str, by: By) -> None:
        """Put it in the queue; the same again changes nothing. `visitor`: the block of addresses it came from."""
        row = {**vars(wanted), "fee": None if fee is None else fee.model_dump(), "visitor": visitor}
        same = [reissues.c[name] == value for name, value in vars(wanted).items()]
        with self._store.write() as connection:
            if connection.execute(select(reissues.c.id).where(*same, reissues.c.state.in_(OPEN))).first():
                return
            at = {"requested_at": by.at, "changed_at": by.at}
            key = connection.execute(insert(reissues).values(state=State.REQUESTED, **row, **at)).inserted_primary_key
            assert key is not None
            record(connection, by, "request", subject(key[0]), None, _found(connection, key[0]).kept())

    def listed(self, states: Collection[State] = tuple(OPEN), limit: int | None = None) -> list[Reissue]:
        """Those in some of these states, oldest first."""
        query = select(reissues).where(reissues.c.state.in_(states)).order_by(reissues.c.id).limit(limit)
        with self._store.read() as connection:
            return [_of(row) for row in connection.execute(query)]

    def one(self, number: int) -> Reissue:
        """One of them. Raises NotThere."""
        with self._store.read() as connection:
            return _found(connection, number)

    def print(self, number: int, issuing: Issuing, letter: Letter, by: By) -> Reissue:
        """A new password, for the letter that is printed now and for nothing else. If `letter` raises, nothing happens.

        Raises UserError as well if the account is suspended.
        """
        with self._store.write() as connection:
            before = _found(connection, number, State.PRINTED)
            try:
                issued = issuing.issue_in(connection, before.wanted.brand, before.wanted.address, by)
            except Suspended as suspended:
                raise UserError(
                    f"the account {suspended} is suspended; resume it first, or refuse request {number}"
                ) from None
            after = _put(connection, before, State.PRINTED, by)
            letter(after, issued)
        return after

    def sent(self, number: int, by: By) -> Reissue:
        """The letter is in the post."""
        return self._step(number, State.SENT, by)

    def refuse(self, number: int, by: By) -> Reissue:
        """It is not sent, for the reason that `by` gives."""
        if not by.why.strip():
            raise UserError("a reason is missing; say why it is refused")
        return self._step(number, State.REFUSED, by)

    def _step(self, number: int, state: State, by: By) -> Reissue:
        with self._store.write() as connection:
            return _put(connection, _found(connection, number, state), state, by)


def forget_old(store: Store, before: datetime) -> None:
    """Names and postal addresses are not kept longer than somebody may ask after the letter."""
    with store.write() as connection:
        over = reissues.c.state.not_in(OPEN) & (reissues.c.changed_at < before)
        connection.execute(delete(reissues).where(over))


def subject(number: int) -> str:
    """How the audit trail calls a request."""
    return f"reissue {number}"


def _found(connection: Connection, number: int, to: State | None = None) -> Reissue:
    """The request of that number, locked; with `to`, if it can become that."""
    row = connection.execute(select(reissues).where(reissues.c.id == number).with_for_update()).first()
    if row is None:
        raise NotThere(f"there is no request {number}; `op25b credentials list --all` shows all")
    found = _of(row)
    if to is not None and to not in NEXT[found.state]:
        possible = " or ".join(state for state in State if to in NEXT[state])
        raise Conflict(f"request {number} is {found.state}; only one that is {possible} becomes {to}")
    return found


def _put(connection: Connection, before: Reissue, state: State, by: By) -> Reissue:
    after = replace(before, state=state, changed_at=by.at)
    row = {"state": state, "changed_at": by.at}
    connection.execute(update(reissues).where(reissues.c.id == before.id).values(row))
    record(connection, by, state, subject(before.id), before.kept(), after.kept())
    return after


def _of(row: Any) -> Reissue:
    wanted = Wanted(row.brand, row.address, row.name, row.contract, row.postal, row.language)
    fee = None if row.fee is None else Words(**row.fee)
    return Reissue(row.id, State(row.state), wanted, fee, row.visitor, row.requested_at, row.changed_at)
