"""From where each account logged in: blocks that a stranger's failures elsewhere must not touch."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from op25b.store.engine import Store
from op25b.store.tables import known_blocks
from op25b.subscribers.accounts import account_id

KEPT = timedelta(days=60)
"""A block is known for so long after the last log-in."""
FRESH = timedelta(days=1)
"""A log-in is written down when the last one is older than this: one write a day, not one a mail."""
BLOCKS = 50
"""Blocks that are kept for one account; the oldest makes room."""


def of(connection: Connection, account: str) -> list[tuple[str, datetime]]:
    """From where an account logged in, and when it last did, to the day; newest first."""
    query = select(known_blocks.c.block, known_blocks.c.seen_at).order_by(known_blocks.c.seen_at.desc())
    mine = known_blocks.c.account == account_id(connection, account)
    return [(row.block, row.seen_at) for row in connection.execute(query.where(mine))]


class KnownBlocks:
    """The known blocks of one store. Methods block."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def seen(self, account: str, block: str, now: datetime) -> datetime | None:
        """When the account last logged in from there, to the day; None if never, or too long ago."""
        query = select(known_blocks.c.seen_at).where(known_blocks.c.block == block)
        with self._store.read() as connection:
            key = account_id(connection, account)
            found: datetime | None = connection.execute(query.where(known_blocks.c.account == key)).scalar()
        return found if found is not None and now - found < KEPT else None

    def remember(self, account: str, block: str, now: datetime) -> None:
        """The account logged in from there. Forgets what is too old."""
        with self._store.write() as connection:
            # locked, so that two hosts do not both insert; None if it is gone meanwhile
            if (key := account_id(connection, account, lock=True)) is not None:
                _remember(connection, key, block, now)


def _remember(connection: Connection, key: int, block: str, now: datetime) -> None:
    mine = known_blocks.c.account == key
    done = connection.execute(update(known_blocks).where(mine, known_blocks.c.block == block).values(seen_at=now))
    if not done.rowcount:
        connection.execute(insert(known_blocks).values(account=key, block=block, seen_at=now))
    newest = select(known_blocks.c.block).where(mine).order_by(known_blocks.c.seen_at.desc()).limit(BLOCKS)
    kept = connection.execute(newest).scalars().all()
    connection.execute(delete(known_blocks).where(mine, known_blocks.c.block.not_in(kept)))
    connection.execute(delete(known_blocks).where(mine, known_blocks.c.seen_at < now - KEPT))
