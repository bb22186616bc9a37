"""Migrations: from nothing, from a filled earlier version, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from op25b.errors import UserError
from op25b.store import Store, schema, upgrade
from op25b.store.tables import metadata
from op25b.subscribers.exemptions.queries import in_force

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def test_from_nothing(url: str) -> None:
    assert upgrade(url)
    assert not upgrade(url)
    schema.require_current(Store(url))


def test_the_migrations_make_what_tables_says(url: str) -> None:
    upgrade(url)
    store = Store(url)
    with store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    store.close()


def test_from_a_filled_earlier_version(url: str) -> None:
    upgrade(url, "0001")
    store = Store(url)
    with store.write() as connection:
        connection.execute(
            text(
                "INSERT INTO accounts (name, password, limits, version, created_at, changed_at) "
                "VALUES ('taro', '{PLAIN-MD5}x', '{}', 7, '2026-04-01 00:00:00', '2026-04-01 00:00:00')"
            )
        )
    with pytest.raises(UserError, match=r"earlier version \(0001.*op25b account upgrade"):
        schema.require_current(store)
    assert upgrade(url)
    with store.read() as connection:
        assert connection.execute(text("SELECT name, version FROM accounts")).all() == [("taro", 7)]
        assert inspect(connection).has_table("known_blocks")
    store.close()


def test_leases_come_to_a_filled_store(url: str) -> None:
    upgrade(url, "0002")
    store = Store(url)
    with store.write() as connection:
        connection.execute(
            text(
                "INSERT INTO accounts (name, password, limits, version, created_at, changed_at) "
                "VALUES ('taro', 'x', '{}', 1, '2026-04-01 00:00:00', '2026-04-01 00:00:00')"
            )
        )
        connection.execute(
            text("INSERT INTO known_blocks SELECT id, '192.0.2.0/24', '2026-04-01 00:00:00' FROM accounts")
        )
    upgrade(url, "0003")
    with store.write() as connection:
        connection.execute(
            text(
                "INSERT INTO sessions (id, source, name, subscriber, started_at, seen_at) "
                "VALUES (3000000000, 'bng', '1', 'taro', 1775001600000000, 1775001600000000)"
            )
        )
        connection.execute(text("INSERT INTO leases SELECT id, '192.0.2.1/32', 1, null, 1, null FROM sessions"))
    assert upgrade(url)
    with store.write() as connection:
        assert connection.execute(text("SELECT block FROM known_blocks")).scalars().all() == ["192.0.2.0/24"]
        connection.execute(text("DELETE FROM sessions"))
        assert connection.execute(text("SELECT count(*) FROM leases")).scalar() == 0
    store.close()


def test_a_newer_store_is_refused_and_left_alone(url: str) -> None:
    upgrade(url)
    store = Store(url)
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError, match="newer op25b"):
        schema.require_current(store)
    with pytest.raises(UserError, match="newer op25b"):
        upgrade(url)
    with store.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"
    store.close()


def test_somebody_elses_database_is_refused(url: str, tmp_path: Path) -> None:
    if url.startswith("sqlite"):
        (tmp_path / "op25b.db").touch()
    store = Store(url)
    with store.write() as connection:
        connection.execute(text("CREATE TABLE mailbox (username TEXT)"))
    with pytest.raises(UserError, match=r"not op25b's \(mailbox\)"):
        upgrade(url)
    store.close()


def test_a_migration_that_fails_leaves_the_earlier_version(url: str) -> None:
    upgrade(url, "0001")
    store = Store(url)
    with store.write() as connection:
        connection.execute(text("CREATE TABLE known_blocks (x INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        upgrade(url)
    with store.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0001"
    store.close()


def test_from_a_store_with_exemptions(url: str) -> None:
    upgrade(url, "0004")
    store = Store(url)
    with store.write() as connection:
        connection.execute(
            text(
                "INSERT INTO exemptions (kind, subscriber, state, reason, granted_at, from_at, review_at, until_at, "
                "fee_accepted, findings, approvals, requested_by, requested_at, changed_at, version) VALUES "
                "('subscriber', 'taro', 'granted', 'x', 1, 1, 2, 4000000000000000, true, '[]', '[]', 'desk', "
                "'2026-04-01 00:00:00', '2026-04-01 00:00:00', 3)"
            )
        )
    assert upgrade(url)
    with store.read() as connection:
        assert [(each.subscriber, each.until_at.year) for each in in_force(connection, NOW)] == [("taro", 2096)]
    store.close()
