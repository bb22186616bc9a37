"""Both databases keep the same promises; what cannot be opened says why."""

from __future__ import annotations

import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from op25b.errors import UserError
from op25b.store import Store, engine, upgrade
from op25b.store.tables import known_blocks, secrets


def test_sqlite_syncs_each_transaction_and_is_private(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/customers & co.db"
    upgrade(url)
    store = Store(url)
    with store.read() as connection:
        pragmas = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 2, 1, 10_000]
    assert stat.S_IMODE((tmp_path / "customers & co.db").stat().st_mode) == 0o600


def test_a_key_that_points_nowhere_is_refused(url: str) -> None:
    upgrade(url)
    store = Store(url)
    row = {"account": 4711, "block": "192.0.2.1/32", "seen_at": datetime(2026, 4, 1, tzinfo=UTC)}
    with pytest.raises(IntegrityError), store.write() as connection:
        connection.execute(insert(known_blocks).values(row))
    store.close()


def test_a_block_that_raises_leaves_nothing(url: str) -> None:
    upgrade(url)
    store = Store(url)

    def fail_half_way() -> None:
        with store.write() as connection:
            connection.execute(insert(secrets).values(name="half", value=b"x"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    with store.read() as connection:
        assert connection.execute(select(secrets.c.name)).scalars().all() == ["nobody"]
    store.close()


def test_writers_wait_for_one_another(url: str) -> None:
    """Each reads, then writes what it read and one more: none of 8 x 10 additions is lost."""
    upgrade(url)
    store = Store(url)
    with store.write() as connection:
        connection.execute(insert(secrets).values(name="count", value=b"0"))
    mine = secrets.c.name == "count"

    def add_ten() -> None:
        for _ in range(10):
            with store.write() as connection:
                value = connection.execute(select(secrets.c.value).where(mine).with_for_update()).scalar_one()
                connection.execute(update(secrets).where(mine).values(value=str(int(value) + 1).encode()))

    threads = [threading.Thread(target=add_ten) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        assert connection.execute(select(secrets.c.value).where(mine)).scalar_one() == b"80"
    store.close()


def test_a_reader_does_not_wait_for_a_writer(url: str) -> None:
    upgrade(url)
    store = Store(url)
    with store.write() as writer:
        writer.execute(insert(secrets).values(name="new", value=b"x"))
        with store.read() as reader:
            assert reader.execute(select(secrets.c.name)).scalars().all() == ["nobody"]
    store.close()


@pytest.mark.parametrize("url", ["", "op25b.db", "mysql://host/name", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_names_no_store_says_what_to_write(url: str) -> None:
    with pytest.raises(UserError, match="sqlite:////absolute/path"):
        Store(url)


def test_a_store_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="op25b account upgrade"), Store(f"sqlite:///{tmp_path}/typo.db").read():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("taro:{PLAIN}x\n" * 100)
    with pytest.raises(UserError, match="not a SQLite database"):
        upgrade(f"sqlite:///{tmp_path}/passwd")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no/such/op25b\.db: No such file"):
        upgrade(f"sqlite:///{tmp_path}/no/such/op25b.db")


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(UserError) as raised, Store("postgresql://op25b:tiger@127.0.0.1:1/x").read():
        pass
    assert "127.0.0.1" in str(raised.value)
    assert "tiger" not in str(raised.value)


def test_a_store_that_somebody_keeps_locked_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(url := f"sqlite:///{tmp_path}/op25b.db")
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    first, second = Store(url), Store(url)
    with first.write(), pytest.raises(UserError, match="database is locked"), second.write():
        pass
    first.close()
    second.close()
