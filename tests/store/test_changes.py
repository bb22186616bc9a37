"""The feed gives each change once, in the order of commits, on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from op25b.store import Store, changes, upgrade

AT = datetime(2026, 4, 1, tzinfo=UTC)


def test_what_is_noted_comes_out_in_order(url: str) -> None:
    upgrade(url)
    store = Store(url)
    with store.write() as connection:
        assert changes.newest(connection) == 0
        changes.note(connection, [("prefix", "192.0.2.1/32"), ("subscriber", "taro")], AT)
    with store.read() as connection:
        found = changes.after(connection, 0)
        assert [change for _, change in found] == [("prefix", "192.0.2.1/32"), ("subscriber", "taro")]
        assert changes.after(connection, found[0][0]) == found[1:]
        assert changes.newest(connection) == found[-1][0]
    store.close()


def test_no_id_appears_behind_one_that_was_read(url: str) -> None:
    """A follower that has read up to an id never misses a smaller one that is committed later."""
    upgrade(url)
    store = Store(url)

    def write(name: str) -> None:
        for _ in range(20):
            with store.write() as connection:
                changes.note(connection, [("subscriber", name)], AT)

    writers = [threading.Thread(target=write, args=(f"s{number}",)) for number in range(4)]
    for writer in writers:
        writer.start()
    seen, last = [], 0
    while len(seen) < 80:
        with store.read() as connection:
            for number, change in changes.after(connection, last):
                seen.append(change)
                last = number
    for writer in writers:
        writer.join()
    with store.read() as connection:
        assert [change for _, change in changes.after(connection, 0)] == seen
    store.close()


def test_old_changes_are_forgotten_and_ids_go_on(url: str) -> None:
    upgrade(url)
    store = Store(url)
    with store.write() as connection:
        changes.note(connection, [("subscriber", "a"), ("subscriber", "b")], AT)
    with store.write() as connection:
        before = changes.newest(connection)
        changes.forget(connection, AT + timedelta(days=1))
        changes.note(connection, [("subscriber", "c")], AT)
        assert [change for _, change in changes.after(connection, 0)] == [("subscriber", "b"), ("subscriber", "c")]
        assert changes.newest(connection) > before
    store.close()


def test_whether_the_feed_goes_on_from_an_id(url: str) -> None:
    upgrade(url)
    store = Store(url)
    with store.write() as connection:
        assert changes.continues(connection, 0)
        assert not changes.continues(connection, 1)  # it was another store then
        changes.note(connection, [("subscriber", name) for name in "abc"], AT)
        newest = changes.newest(connection)
        assert [changes.continues(connection, newest - ago) for ago in (-1, 0, 1, 3)] == [False, True, True, True]
        changes.forget(connection, AT + timedelta(days=1))
        assert [changes.continues(connection, newest - ago) for ago in (0, 1, 2)] == [True, True, False]
    store.close()
