"""What the process of the pages has no way to, although it has the user that all other parts have."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from op25b.portal.public import job
from op25b.processes import logs, privilege
from op25b.processes.privilege import Capability
from op25b.store import Store, upgrade

from ...support.landlock import HAS_LANDLOCK


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As small hosts have it: the spool beside the store."""
    upgrade(f"sqlite:///{tmp_path}/op25b.db")
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "mail").write_text("a customer's letter")
    socket.socket(socket.AF_UNIX).bind(str(tmp_path / "enforcer"))
    return tmp_path


def errors(folder: Path, *attempts: Callable[[Store], object]) -> list[int]:
    """Of each attempt of a process that is confined as the pages are: the error's number, 0 for none."""
    told, tell = os.pipe()
    if (pid := os.fork()) == 0:
        with suppress(BaseException):
            privilege.drop(Capability, None)
            store = Store(f"sqlite:///{folder}/op25b.db")
            job._confine(folder / "spool", store, logs.start("portal"))
            os.write(tell, bytes([_error(attempt, store) for attempt in attempts]))
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(tell)
    with os.fdopen(told, "rb") as said:
        return [*said.read()]


def _error(attempt: Callable[[Store], object], store: Store) -> int:
    try:
        attempt(store)
    except OSError as error:
        return error.errno or 255
    except BaseException:
        return 255
    return 0


def _write(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS a_page_was_here (n INTEGER)"))


@HAS_LANDLOCK
def test_it_has_no_way_to_the_spool_and_to_sockets_of_this_host(folder: Path) -> None:
    found = errors(
        folder,
        lambda _: (folder / "spool/mail").read_text(),
        lambda _: os.listdir(folder / "spool"),
        lambda _: (folder / "spool/another").write_text(""),
        lambda _: socket.socket(socket.AF_UNIX).connect(str(folder / "enforcer")),
    )
    assert found == [errno.EACCES] * 4


@HAS_LANDLOCK
def test_the_store_is_open_to_it_while_others_come_and_go(folder: Path) -> None:
    def others(_: Store) -> None:
        if (pid := os.fork()) == 0:
            other = Store(f"sqlite:///{folder}/op25b.db")
            with suppress(BaseException):
                _write(other)
                with other.write() as connection:
                    connection.execute(text("INSERT INTO a_page_was_here VALUES (1)"))
                with other.read() as connection:
                    connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
                other.close()
            os._exit(0)
        os.waitpid(pid, 0)

    assert errors(folder, _write, others, _write, others, _write) == [0] * 5
    store = Store(f"sqlite:///{folder}/op25b.db")
    with store.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM a_page_was_here")).scalar() == 2
    store.close()
