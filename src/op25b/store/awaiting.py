"""Waiting until somebody has committed something: SQLite is asked each 10 ms, PostgreSQL tells."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from op25b.errors import UserError
from op25b.store.changes import CHANNEL
from op25b.store.engine import Store

POLL_SECONDS = 0.01


class Commits:
    """A connection of its own that hears of commits which note changes (`op25b.store.changes`). Of one thread.

    What was committed before this is made is not told: read the feed after making it. Raises UserError, as `wait`
    does, when the store is away.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listens = store.file is None
        self._connection: Any = None
        try:
            pooled = store.engine.raw_connection()
            # out of the pool: it ends with this object
            pooled.detach()
            self._connection = pooled.dbapi_connection
            if self._listens:
                self._connection.autocommit = True
                self._connection.execute(f"LISTEN {CHANNEL}")
            else:
                self._version = self._data_version()
        except (SQLAlchemyError, store.engine.dialect.loaded_dbapi.Error) as error:
            self.close()
            raise self._away(error) from error

    def wait(self, seconds: float, others: Sequence[int] = ()) -> None:
        """Returns when there may be something new, when one of these descriptors can be read, or after `seconds`."""
        try:
            self._wait_for_notice(seconds, others) if self._listens else self._poll(seconds, others)
        except self._store.engine.dialect.loaded_dbapi.Error as error:
            raise self._away(error) from error

    def _wait_for_notice(self, seconds: float, others: Sequence[int]) -> None:
        if select.select([self._connection.fileno(), *others], [], [], max(0.0, seconds))[0]:
            # takes them in, so that the next wait does not return for the same; raises if the server has gone
            for _ in self._connection.notifies(timeout=0):
                pass

    def _poll(self, seconds: float, others: Sequence[int]) -> None:
        end = time.monotonic() + seconds
        while (version := self._data_version()) == self._version:
            left = end - time.monotonic()
            if left <= 0 or select.select(others, [], [], min(left, POLL_SECONDS))[0]:
                return
        self._version = version

    def _data_version(self) -> int:
        """Another number after each commit of any other connection (sqlite.org/pragma.html#pragma_data_version)."""
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _away(self, error: Exception) -> UserError:
        return UserError(f"the store {self._store.name} cannot be used: {' '.join(str(error).split())}")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Commits:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
