"""Who is logged in. A browser has 256 random bits, the store their hash, when it began and when it was last seen.

A session begins with a log-in and with bits of its own: what a browser had before means nothing (no fixation). It ends
by itself after a while of silence and, used or not, after a working day.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, or_, select, update

from op25b.portal.staff.codes import Random
from op25b.portal.staff.roles import Person, Role
from op25b.store.audit import By, record
from op25b.store.engine import Store
from op25b.store.tables import staff, staff_sessions

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=10)
_TOUCHED = timedelta(minutes=1)
"""How exactly the store knows when a session was last seen."""
_OCTETS = 32


class Sessions:
    """Of one store. Methods block."""

    def __init__(self, store: Store, random: Random) -> None:
        self._store, self._random = store, random

    def begin(self, person: Person, by_openid: str | None, by: By) -> str:
        """What the browser is to keep. `by_openid`: whom the provider says it is; None: one of `staff`."""
        token = self._random(_OCTETS).hex()
        roles = None if by_openid is None else sorted(person.roles)
        row = {"hash": _hash(token), "name": person.name, "roles": roles, "began_at": by.at, "seen_at": by.at}
        with self._store.write() as connection:
            connection.execute(delete(staff_sessions).where(_over(by.at)))
            connection.execute(insert(staff_sessions).values(row))
            after = {"roles": sorted(person.roles)} | ({} if by_openid is None else {"openid": by_openid})
            record(connection, by, "log in", person.name, None, after)
        return token

    def find(self, token: str, at: datetime, present: bool = True) -> Person | None:
        """Who that is, with the roles of now; None: nobody, or not any more. `present`: this counts as being seen."""
        query = (
            select(staff_sessions, staff.c.roles.label("own"))
            .outerjoin(staff, staff.c.name == staff_sessions.c.name)
            .where(staff_sessions.c.hash == _hash(token), ~_over(at))
        )
        with self._store.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        roles = row.own if row.roles is None else row.roles
        if roles is None:
            return None
        if present and at - row.seen_at >= _TOUCHED:
            with self._store.write() as connection:
                touch = update(staff_sessions).where(staff_sessions.c.hash == row.hash)
                connection.execute(touch.values(seen_at=at))
        return Person(row.name, frozenset(map(Role, roles)))

    def end(self, token: str) -> None:
        """Log out."""
        with self._store.write() as connection:
            connection.execute(delete(staff_sessions).where(staff_sessions.c.hash == _hash(token)))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _over(at: datetime) -> ColumnElement[bool]:
    return or_(staff_sessions.c.seen_at <= at - IDLE, staff_sessions.c.began_at <= at - LONGEST)
