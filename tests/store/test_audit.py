"""The audit trail can only grow: the database itself holds that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, StatementError

from op25b.store import Store, upgrade
from op25b.store.audit import By, Entry, record, trail

AT = datetime(2026, 4, 1, 9, tzinfo=timezone(timedelta(hours=9)))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    upgrade(url)
    opened = Store(url)
    with opened.write() as connection:
        record(connection, By("desk", AT, "asked by mail"), "suspend", "taro", {"suspended": None}, {"suspended": "x"})
        record(connection, By("desk", AT, ""), "add", "花子", None, {"senders": ["花子@example.jp"]})
    yield opened
    opened.close()


def test_what_goes_in_comes_out(store: Store) -> None:
    with store.read() as connection:
        first, second = trail(connection)
        assert first == Entry(AT, "desk", "suspend", "taro", "asked by mail", {"suspended": None}, {"suspended": "x"})
        assert first.at.tzinfo is UTC
        assert second.before is None
        assert trail(connection, "花子") == [second]
        assert trail(connection, limit=1) == [second]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'nobody'",
        "UPDATE audit SET who = 'nobody' WHERE id = 1",
        "DELETE FROM audit WHERE id = 1",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "REPLACE INTO audit (id, at, who, what, subject, why) VALUES (1, '2026-04-01', 'x', 'x', 'x', 'x')",
    ],
)
def test_nothing_in_it_can_be_changed(store: Store, statement: str) -> None:
    kinds = {"TRUNCATE": "postgresql", "REPLACE": "sqlite"}
    if kinds.get(statement.split()[0], store.engine.dialect.name) != store.engine.dialect.name:
        pytest.skip("a statement of the other database")
    with store.read() as connection:
        before = trail(connection)
    with pytest.raises(DBAPIError, match="can only grow"), store.write() as connection:
        connection.execute(text(statement))
    with store.read() as connection:
        assert trail(connection) == before


def test_a_time_without_an_offset_is_refused(store: Store) -> None:
    naive = datetime(2026, 4, 1)  # noqa: DTZ001
    with pytest.raises(StatementError, match="no offset"), store.write() as connection:
        record(connection, By("desk", naive, ""), "add", "taro")
