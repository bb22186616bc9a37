"""Opening a store: one URL, two databases, the same promises from both."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from op25b.errors import UserError

BUSY_SECONDS = 10
"""How long a writer waits for another one before it gives up."""

_KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
"""A server's host that has gone without a word is noticed within some ten seconds, by one who only listens too."""

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_WRITES = "op25b_writes"
_SYNCHRONOUS = {True: "FULL", False: "NORMAL"}
"""What SQLite's `synchronous` is for a transaction that is synced, or not."""


class Store:
    """A database with op25b's tables; safe to share between threads.

    `url` is `sqlite:////absolute/path` or `postgresql://user@host/name`. Nothing is opened before it is needed.
    Raises UserError for a URL that is neither.
    """

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.name = parsed.set(drivername=parsed.get_backend_name()).render_as_string(hide_password=True)
        """The URL without its password, fit for a message."""
        self.file = Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None
        """Where SQLite keeps it; None for a server."""
        hosts = ",".join(parsed.normalized_query.get("host", [parsed.host or ""])).split(",")
        self.by_socket = self.file is None and any(host[:1] in ("", "/", "@") for host in hosts)
        """Whether it is a server that is reached by a socket of this host (libpq's rule)."""
        self.engine = _engine(parsed)
        # made once: making one takes as long as a small transaction
        self._writing = {
            synced: self.engine.execution_options(**{_WRITES: level}) for synced, level in _SYNCHRONOUS.items()
        }
        self._torn: OSError | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads. On SQLite it waits for nobody."""
        with self._said_plainly(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, synced: bool = True) -> Iterator[Connection]:
        """A transaction that writes: all of it is on disk when the block ends, or none of it if it raises.

        Not `synced`: after a loss of power perhaps none of it, unless `sync` has returned meanwhile. Others see it at
        once, and what follows it is never kept without it.
        """
        with self._said_plainly(), self._writing[synced].begin() as connection:
            yield connection

    def sync(self) -> None:
        """Returns when all that was written before is on disk. Raises UserError if it may not be, and from then on.

        SQLite: with `synchronous` NORMAL it leaves out nothing but this, the sync of its log after each transaction
        (sqlite.org/pragma.html#pragma_synchronous); what it has moved from there to the file by now, it has synced.
        """
        if self.file is None:
            return
        try:
            # once it has failed, the kernel takes what it could not write for written
            if self._torn is not None:
                raise self._torn
            log = os.open(f"{self.file}-wal", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fdatasync(log)
            finally:
                os.close(log)
        except OSError as error:
            self._torn = error
            raise UserError(f"the store {self.name} cannot be synced: {error.strerror}; mend the disk") from error

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()

    @contextmanager
    def _said_plainly(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise UserError(f"the store {self.name} cannot be used: {_reason(error)}") from error
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.DatabaseError) and "not a database" in str(error.orig):
                raise UserError(f"the store {self.name} is not a SQLite database; name another file") from error
            if error.statement is None:  # it did not come to a connection
                raise UserError(f"the store {self.name} cannot be used: {_reason(error)}") from error
            raise
        except self.engine.dialect.loaded_dbapi.OperationalError as error:  # of a `Raw` statement
            raise UserError(f"the store {self.name} cannot be used: {' '.join(str(error).split())}") from error


def _parsed(url: str) -> URL:
    how = "write sqlite:////absolute/path/op25b.db or postgresql://user@host/name"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UserError(f"the store's URL cannot be read; {how}") from None
    kind = parsed.drivername.partition("+")[0]
    if kind not in _DRIVERS:
        raise UserError(f"a store of the kind {kind!r} is not known; {how}")
    if kind == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise UserError(f"the store's URL names no file; {how}")
    return parsed.set(drivername=_DRIVERS[kind])


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        # a connection that died while idle is replaced before use, not reported as a failed log-in
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": BUSY_SECONDS, **_KEEPALIVE})
    # mode=rw: a mistyped path is an error, not a new and empty store; `schema.upgrade` makes the file
    uri = url.set(database=f"file:{quote(url.database or '')}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(uri, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    # Python's module would begin transactions late and end them before DDL; `_begin` does it instead
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # a reader that turns writer fails at once if another wrote meanwhile; IMMEDIATE waits its turn
    writes = connection.get_execution_options().get(_WRITES)
    # by the driver's own means: a lease server does this a thousand times a second
    driver: Any = connection.connection.dbapi_connection
    if writes:
        driver.execute(f"PRAGMA synchronous = {writes}")
    driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def _reason(error: DBAPIError) -> str:
    reason = " ".join(str(error.orig).split())
    if "unable to open database file" in reason:
        return "there is no such file, or it may not be opened by this user; `op25b account upgrade` makes a new store"
    return reason
