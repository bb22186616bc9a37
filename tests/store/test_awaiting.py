"""Who waits for commits hears of them at once, on both databases, and of nothing else."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import make_url

from op25b.errors import UserError
from op25b.store import Store, changes, upgrade
from op25b.store.awaiting import Commits

AT = datetime(2026, 4, 1, tzinfo=UTC)
LONG = 30.0


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()


def note(store: Store) -> None:
    with store.write() as connection:
        changes.note(connection, [("subscriber", "taro")], AT)


def test_a_commit_ends_the_wait(store: Store) -> None:
    with Commits(store) as commits:
        for _ in range(3):
            writer = threading.Timer(0.05, note, [store])
            began = time.monotonic()
            writer.start()
            commits.wait(LONG)
            assert time.monotonic() - began < LONG / 2
            writer.join()


def test_a_commit_between_two_waits_is_not_missed(store: Store) -> None:
    with Commits(store) as commits:
        note(store)
        began = time.monotonic()
        commits.wait(LONG)
        assert time.monotonic() - began < LONG / 2


def test_without_one_it_lasts_as_long_as_it_should(store: Store) -> None:
    note(store)
    with Commits(store) as commits:
        began = time.monotonic()
        commits.wait(0.2)
        assert time.monotonic() - began >= 0.2


def test_several_notices_are_one(store: Store) -> None:
    with Commits(store) as commits:
        note(store)
        note(store)
        if store.file is None:
            # the server sends to each listener in its own time
            time.sleep(0.2)
        commits.wait(LONG)
        began = time.monotonic()
        commits.wait(0.2)
        assert time.monotonic() - began >= 0.2


def test_another_descriptor_ends_the_wait(store: Store) -> None:
    reader, writer = os.pipe()
    try:
        with Commits(store) as commits:
            os.write(writer, b".")
            began = time.monotonic()
            commits.wait(LONG, [reader])
            assert time.monotonic() - began < LONG / 2
    finally:
        os.close(reader)
        os.close(writer)


def test_a_server_that_ends_the_connection_is_away(postgresql: str) -> None:
    store = Store(f"postgresql://op25b@/postgres?host={postgresql}")
    with Commits(store) as commits, psycopg.connect(host=postgresql, user="op25b", dbname="postgres") as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        # this one may return for the server's last words
        with suppress(UserError):
            commits.wait(LONG)
        with pytest.raises(UserError, match="cannot be used"):
            commits.wait(LONG)
    store.close()


def test_a_store_that_is_not_there(url: str) -> None:
    away = make_url(url)
    away = (
        away.set(database="/nowhere/op25b.db") if away.drivername == "sqlite" else away.set(query={"host": "/nowhere"})
    )
    store = Store(away.render_as_string(hide_password=False))
    with pytest.raises(UserError, match="cannot be used"):
        Commits(store)
