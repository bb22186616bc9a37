"""One query that is asked at every log-in, by the driver's own means: 5 us on SQLite where the usual way takes 110."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Select
from sqlalchemy.exc import SQLAlchemyError

from op25b.store.engine import Store


class Failed(Exception):
    """The quick way is closed just now (a connection that died, say); the usual way says why, or works."""


class QuickRead:
    """A query with one parameter, `value`, of which the first row is wanted. Each thread has a connection of its own.

    Every read sees what was committed before it: no transaction is left open. A SQLite file that somebody has locked
    whole (never a mere writer) is Failed at once: the usual way does the waiting.
    """

    def __init__(self, store: Store, query: Select[Any]) -> None:
        compiled = query.compile(dialect=store.engine.dialect)
        self._engine, self._sql, self._positional = store.engine, str(compiled), compiled.positional
        self._of_thread = threading.local()
        self._opened: list[Any] = []

    def row(self, value: str) -> tuple[Any, ...] | None:
        """The first row for a value, None if there is none. Raises Failed."""
        try:
            cursor = self._connection().cursor()
            cursor.execute(self._sql, (value,) if self._positional else {"value": value})
            found: tuple[Any, ...] | None = cursor.fetchone()
            cursor.close()
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
            self._drop()
            raise Failed from error
        return found

    def _drop(self) -> None:
        if (dead := getattr(self._of_thread, "connection", None)) is not None:
            self._of_thread.connection = None
            self._opened.remove(dead)
            dead.close()

    def close(self) -> None:
        """Close every thread's connection; no thread may read any more."""
        while self._opened:
            self._opened.pop().close()

    def _connection(self) -> Any:
        if (kept := getattr(self._of_thread, "connection", None)) is not None:
            return kept
        pooled = self._engine.raw_connection()
        # out of the pool: it is the thread's, and ends with it
        pooled.detach()
        connection: Any = pooled.dbapi_connection
        self._of_thread.connection = connection
        self._opened.append(connection)
        if self._engine.dialect.name == "postgresql":
            connection.autocommit = True
        else:
            connection.execute("PRAGMA busy_timeout = 0")
        return connection
