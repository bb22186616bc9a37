"""Bringing a store up to date, on request only: many hosts may share it, and not all run the same version."""

from __future__ import annotations

import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from op25b.errors import UserError
from op25b.store.engine import Store

_LOCK = 0x6F703235
"""The advisory lock under which PostgreSQL migrates: any number that others do not use."""


def upgrade(url: str, revision: str = "head") -> bool:
    """Bring the store at `url` forward to `revision`, in one transaction; True if anything was done.

    Raises UserError if it cannot be reached, holds somebody else's tables, or was made by a newer op25b.
    """
    store = Store(url)
    if store.file is not None:
        _make_private(store.file)
    try:
        with store.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            before = _revision(connection, store.name)
            command.upgrade(_config(connection), revision)
            return _revision(connection, store.name) != before
    finally:
        store.close()


def require_current(store: Store) -> None:
    """Raises UserError, with the mend, if the store is not of the version that this op25b works with."""
    with store.read() as connection:
        found = _revision(connection, store.name)
    if found is None:
        raise UserError(f"the store {store.name} is empty; `op25b account upgrade` makes its tables")
    if found != _head():
        raise UserError(
            f"the store {store.name} is of an earlier version ({found}; this op25b needs {_head()}); "
            "bring every host to this version of op25b, then run `op25b account upgrade`"
        )


def is_empty(store: Store) -> bool:
    """True if nothing was ever put there."""
    with store.read() as connection:
        return _revision(connection, store.name) is None


def _revision(connection: Connection, name: str) -> str | None:
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        if others := sorted(inspect(connection).get_table_names())[:3]:
            raise UserError(f"{name} holds tables that are not op25b's ({', '.join(others)}); name another database")
        return None
    if found not in {script.revision for script in _scripts().walk_revisions()}:
        raise UserError(
            f"the store {name} was made by a newer op25b (its version {found} is not known here); "
            "install that one on this host, or restore the copy from before it"
        )
    return found


def _make_private(file: Path) -> None:
    """Make the file if it is not there, for its owner only: it holds hashes. SQLite gives its journal the same mode."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; make the folder, writable by this user, or name another") from None


def _head() -> str:
    head = _scripts().get_current_head()
    assert head is not None
    return head


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(None))


def _config(connection: Connection | None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "op25b.store:migrations")
    return config
