"""The quick read sees every commit, in every thread, and says so when it cannot."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import bindparam, insert, select, text, update

from op25b.store import Store, upgrade
from op25b.store.quick import Failed, QuickRead
from op25b.store.tables import secrets


def test_it_sees_what_was_committed_before(url: str) -> None:
    upgrade(url)
    store = Store(url)
    quick = QuickRead(store, select(secrets.c.value).where(secrets.c.name == bindparam("value")))
    assert quick.row("count") is None
    with store.write() as connection:
        connection.execute(insert(secrets).values(name="count", value=b"0"))
    for number in range(20):
        with store.write() as connection:
            connection.execute(update(secrets).where(secrets.c.name == "count").values(value=b"%d" % number))
            assert quick.row("count") != (b"%d" % number,) or number == 0
        assert quick.row("count") == (b"%d" % number,)
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.append(quick.row("count")))
    thread.start()
    thread.join()
    assert seen == [(b"19",)]
    store.close()


def test_a_connection_that_died_is_replaced(url: str) -> None:
    upgrade(url)
    store = Store(url)
    quick = QuickRead(store, select(secrets.c.name).where(secrets.c.name == bindparam("value")))
    assert quick.row("nobody") == ("nobody",)
    if store.engine.dialect.name == "postgresql":
        with store.write() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                    "current_database() AND pid <> pg_backend_pid()"
                )
            )
    else:
        quick._of_thread.connection.close()
    with pytest.raises(Failed):
        quick.row("nobody")
    assert quick.row("nobody") == ("nobody",)
    store.close()
