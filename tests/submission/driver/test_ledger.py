"""Counts that several processes share."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from op25b.submission.driver.ledger import HOUR, Counter, Ledger

M = Counter.MESSAGES_HOUR


def test_workers_see_each_other_s_counts() -> None:
    ledger = Ledger(2, slots=64)
    first, second = ledger.view(0), ledger.view(1)
    assert [first.connected(b"a", 0), second.connected(b"a", 0), first.connected(b"b", 0)] == [1, 2, 1]
    first.disconnected(b"a", 0)
    assert second.connected(b"a", 0) == 2


def test_a_dead_worker_s_connections_are_forgotten_and_its_messages_are_not() -> None:
    ledger = Ledger(2, slots=64)
    for worker in (0, 1):
        ledger.view(worker).connected(b"a", 0)
        ledger.view(worker).add(b"a", M, 5, 0)
    ledger.forget(0)
    assert ledger.view(0).connected(b"a", 0) == 2
    assert ledger.view(1).lately(b"a", M, 0) == 10


def test_a_process_that_is_forked_shares_the_counts() -> None:
    ledger = Ledger(2, slots=64)
    if (child := os.fork()) == 0:
        ledger.view(1).add(b"a", M, 7, 0)
        os._exit(0)
    os.waitpid(child, 0)
    assert ledger.view(0).lately(b"a", M, 0) == 7


def test_an_hour_slides() -> None:
    view = Ledger(1, slots=64).view(0)
    view.add(b"a", M, 100, 10 * HOUR)
    assert view.lately(b"a", M, 10.99 * HOUR) == 100
    assert view.lately(b"a", M, 11.25 * HOUR) == 75
    view.add(b"a", M, 10, 11.25 * HOUR)
    assert view.lately(b"a", M, 11.5 * HOUR) == 60
    assert view.lately(b"a", M, 12.5 * HOUR) == 5
    assert view.lately(b"a", M, 13 * HOUR) == 0


def test_who_was_away_longest_makes_room_and_who_is_connected_last() -> None:
    ledger = Ledger(1, slots=8)
    view = ledger.view(0)
    view.connected(b"here", 0)
    for number in range(7):
        view.add(b"old %d" % number, M, 1, 1 + number)
    view.add(b"new", M, 1, 100)
    assert view.lately(b"new", M, 100) == 1
    assert view.connected(b"here", 101) == 2
    assert view.lately(b"old 6", M, 101) == 1
    assert view.lately(b"old 0", M, 101) == 0


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.integers(0, 2), st.integers(1, 9))))
def test_within_a_period_it_is_a_sum(steps: list[tuple[bytes, int, int]]) -> None:
    ledger = Ledger(3, slots=64)
    views = [ledger.view(worker) for worker in range(3)]
    expected = dict.fromkeys((b"a", b"b", b"c"), 0)
    for key, worker, count in steps:
        views[worker].add(key, M, count, 5)
        expected[key] += count
    assert {key: views[0].lately(key, M, 5) for key in expected} == expected
