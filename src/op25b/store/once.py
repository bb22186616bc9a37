"""Messages that must not leave twice: each has a key, which the sender writes down here before it is sent.

The key travels as the message's ENVID (RFC 3461 4.4). A sender who does not know whether a message was taken sends it
again under the same key: of all that come, only one leaves, whichever relay sees it first. Keys cannot be guessed,
and one that is not here means nothing: nobody can keep another's message from leaving.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select, update

from op25b.store.engine import Store
from op25b.store.tables import once

PREFIX = "op25b-once."
"""What a key begins with."""
CHUNK = 500
"""Values in one query; SQLite takes 32,766 in all, PostgreSQL 65,535."""


class State(StrEnum):
    """Expected: no relay has seen it. Handing: a next hop may be getting it now. Doubt: one may have got it."""

    EXPECTED = "expected"
    WAITING = "waiting"
    HANDING = "handing"
    DELIVERED = "delivered"
    FAILED = "failed"
    DOUBT = "doubt"


@dataclass(frozen=True)
class Standing:
    """What is written under a key. `queue_id`: of the message that leaves."""

    queue_id: str | None
    state: State
    detail: str


def expect(connection: Connection, keys: Sequence[str], at: datetime) -> None:
    """Write down new keys."""
    if new := [{"key": key, "state": State.EXPECTED, "detail": "", "at": at} for key in keys]:
        connection.execute(insert(once), new)


class Register:
    """For a relay; of any thread. Every call returns when it is on the disk, and raises UserError if it cannot be."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, seen: Iterable[tuple[str, str]], at: datetime) -> Mapping[str, Standing]:
        """By key what is written of it, once each of these (key, queue id) had its claim; unknown keys are left out."""
        wanted = dict(reversed([*seen]))
        found: dict[str, Standing] = {}
        with self._store.write() as connection:
            for key, queue_id in wanted.items():
                connection.execute(
                    update(once)
                    .where(once.c.key == key, once.c.queue_id.is_(None))
                    .values(queue_id=queue_id, state=State.WAITING, at=at)
                )
            keys = list(wanted)
            for start in range(0, len(keys), CHUNK):
                chosen = select(once).where(once.c.key.in_(keys[start : start + CHUNK]))
                found |= {
                    row.key: Standing(row.queue_id, State(row.state), row.detail) for row in connection.execute(chosen)
                }
        return found

    def put(self, key: str, state: State, detail: str, at: datetime) -> None:
        """What has become of the one that leaves."""
        with self._store.write() as connection:
            connection.execute(update(once).where(once.c.key == key).values(state=state, detail=detail, at=at))
