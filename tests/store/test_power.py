"""What a loss of power leaves of transactions that are synced later, on a real file system."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from op25b.errors import UserError
from op25b.store import Store, upgrade
from op25b.store.tables import secrets
from tests.support.disks import Crashing

MANY, LARGE = 30, 200_000
"""Rows, and octets of one: after 20 or so SQLite moves its log to the file, synced, and begins it anew."""


def left_after(folder: Path, sync: bool) -> set[str]:
    """The rows that are there when the power is back, of MANY that were written and, if so, synced, and one more."""
    with Crashing(folder / "image", folder / "disk") as disk:
        url = f"sqlite:///{disk.mount}/op25b.db"
        upgrade(url)
        store = Store(url)
        for number in range(MANY + 1):
            with store.write(synced=False) as connection:
                connection.execute(insert(secrets).values(name=f"n{number}", value=os.urandom(LARGE)))
            if sync and number < MANY:
                store.sync()
        disk.lose_power()
        store.engine.dispose(close=False)
        disk.come_back()
        after = Store(url)
        with after.read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            found = set(connection.execute(select(secrets.c.name)).scalars())
        after.close()
    return found


@pytest.mark.root
@pytest.mark.skipif(shutil.which("mkfs.ext4") is None, reason="needs mkfs.ext4: apt install e2fsprogs")
def test_what_was_synced_is_there(tmp_path: Path) -> None:
    wanted = {f"n{number}" for number in range(MANY)}
    for name in ("synced", "not"):
        (tmp_path / name).mkdir()
    assert left_after(tmp_path / "synced", sync=True) >= wanted
    assert not left_after(tmp_path / "not", sync=False) >= wanted, "this file system keeps everything"


def test_what_failed_once_is_never_said_to_be_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel takes what it could not write for written, and would report no error the next time."""
    url = f"sqlite:///{tmp_path}/op25b.db"
    upgrade(url)
    store = Store(url)
    with store.write(synced=False) as connection:
        connection.execute(insert(secrets).values(name="n", value=b""))
        with monkeypatch.context() as disk:

            def broken(_: int) -> None:
                raise OSError(errno.EIO, "Input/output error")

            disk.setattr(os, "fdatasync", broken)
            with pytest.raises(UserError, match="Input/output error; mend the disk"):
                store.sync()
    with pytest.raises(UserError, match="mend the disk"):
        store.sync()
    store.close()


def test_the_next_transaction_is_synced_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/op25b.db"
    upgrade(url)
    store = Store(url)
    for synced, level in ((False, 1), (True, 2)):
        with store.write(synced=synced) as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == level
    store.close()
