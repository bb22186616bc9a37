"""Staff who log in with a password and a one-time code. Every change leaves a line in the audit trail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from op25b.errors import UserError
from op25b.policy.fields import slug
from op25b.portal.staff.roles import STAFF, Role
from op25b.store.audit import By, record
from op25b.store.engine import Store
from op25b.store.tables import staff, staff_sessions


@dataclass(frozen=True)
class Member:
    """One of the staff. `password`: a hash; `code`: the sealed secret of the one-time codes."""

    name: str
    roles: frozenset[Role]
    password: str = field(repr=False)
    code: bytes = field(repr=False)

    def shown(self) -> dict[str, Any]:
        """What may be seen of it, in the audit trail too."""
        return {"name": self.name, "roles": sorted(self.roles)}


def checked_name(name: str) -> str:
    """Raises UserError for a name that nobody can have: it stands among the policy's `approvers`."""
    try:
        return slug(name)
    except ValueError as fault:
        raise UserError(f"the name {fault}") from None


def checked_roles(roles: Iterable[str]) -> frozenset[Role]:
    """Raises UserError for none, and for one that a person cannot have."""
    found = frozenset(Role(each) for each in roles)
    if not found or not found <= set(STAFF):
        raise UserError(f"a person has one or more of the roles {', '.join(STAFF)}; say --role")
    return found


class Staff:
    """The staff of one store. Methods block; each change is one transaction, and ends the sessions of whom it is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, name: str) -> Member | None:
        with self._store.read() as connection:
            return _find(connection, name)

    def all(self) -> list[Member]:
        """Everybody, by name."""
        with self._store.read() as connection:
            return [_member(row) for row in connection.execute(select(staff).order_by(staff.c.name))]

    def add(self, member: Member, by: By) -> None:
        """Raises UserError if the name is taken."""
        with self._store.write() as connection:
            if _find(connection, member.name) is not None:
                raise UserError(f"{member.name} is there already; `op25b staff reset` gives a new password and code")
            row = {**_columns(member), "name": member.name, "code_step": 0, "created_at": by.at, "changed_at": by.at}
            connection.execute(insert(staff).values(row))
            record(connection, by, "staff add", member.name, None, member.shown())

    def reset(self, name: str, password: str, code: bytes, by: By) -> None:
        """A new password (its hash) and new codes. Raises UserError if there is nobody of that name."""
        self._change(name, "staff reset", by, password=password, code=code, code_step=0)

    def change(self, name: str, roles: frozenset[Role], by: By) -> None:
        """Other roles. Raises UserError if there is nobody of that name."""
        self._change(name, "staff change", by, roles=sorted(roles))

    def remove(self, name: str, by: By) -> None:
        """Raises UserError if there is nobody of that name."""
        with self._store.write() as connection:
            before = _found(connection, name)
            connection.execute(delete(staff).where(staff.c.name == name))
            connection.execute(delete(staff_sessions).where(staff_sessions.c.name == name))
            record(connection, by, "staff remove", name, before.shown())

    def take(self, name: str, step: int) -> bool:
        """Use a code up; False if it, or a later one, was taken before (RFC 6238, 5.2), by whatever process."""
        with self._store.write() as connection:
            query = update(staff).where(staff.c.name == name, staff.c.code_step < step)
            return connection.execute(query.values(code_step=step)).rowcount == 1

    def _change(self, name: str, what: str, by: By, **values: Any) -> None:
        with self._store.write() as connection:
            before = _found(connection, name)
            connection.execute(update(staff).where(staff.c.name == name).values(changed_at=by.at, **values))
            connection.execute(delete(staff_sessions).where(staff_sessions.c.name == name))
            after = replace(before, roles=frozenset(map(Role, values.get("roles", before.roles))))
            record(connection, by, what, name, before.shown(), after.shown())


def _found(connection: Connection, name: str) -> Member:
    if (member := _find(connection, name)) is None:
        raise UserError(f"nobody of the staff is called {name}; `op25b staff list` shows all")
    return member


def _find(connection: Connection, name: str) -> Member | None:
    row = connection.execute(select(staff).where(staff.c.name == name)).first()
    return None if row is None else _member(row)


def _member(row: Any) -> Member:
    return Member(row.name, frozenset(map(Role, row.roles)), row.password, row.code)


def _columns(member: Member) -> dict[str, Any]:
    return {"password": member.password, "code": member.code, "roles": sorted(member.roles)}
