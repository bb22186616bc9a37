"""What is in force at an instant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from time import perf_counter

import pytest

from op25b.store import Store
from op25b.store.tables import exemptions
from op25b.subscribers.exemptions import queries
from op25b.subscribers.exemptions.queries import Live
from tests.subscribers.exemptions.conftest import DAY, START, Put

MICROSECOND = timedelta(microseconds=1)


def test_from_its_start_until_its_end(store: Store, put: Put) -> None:
    made = put()
    live = Live(made, "subscriber", "taro", None, START, START + 10 * DAY)
    for at, found in (
        (START - MICROSECOND, []),
        (START, [live]),
        (START + 10 * DAY - MICROSECOND, [live]),
        (START + 10 * DAY, []),
    ):
        with store.read() as connection:
            assert queries.in_force(connection, at) == found
            assert queries.of_subscribers(connection, ["taro", "jiro"], at) == found
            assert queries.subjects_in_force(connection, at) == [live[1:4] for live in found]
            assert queries.subjects_of(connection, ["taro", "jiro"], [], at) == [live[1:4] for live in found]


def test_only_what_was_granted(store: Store, put: Put) -> None:
    put(granted_at=None, state="under-review")
    with store.read() as connection:
        assert queries.in_force(connection, START) == []
        assert queries.next_moment(connection, START - DAY) is None


def test_the_past_of_one_that_was_revoked(store: Store, put: Put) -> None:
    made = put(state="revoked", until_at=START + DAY)
    with store.read() as connection:
        assert [live.id for live in queries.in_force(connection, START)] == [made]
        assert queries.in_force(connection, START + DAY) == []


def test_a_subscriber_in_quarantine_has_none(store: Store, put: Put, confine: Callable[[str], None]) -> None:
    put()
    put(kind="prefix", prefix="192.0.2.8/29")
    others = [put(subscriber="jiro"), put(kind="destination", subscriber=None, prefix="198.51.100.1/32")]
    confine("taro")
    with store.read() as connection:
        assert [live.id for live in queries.in_force(connection, START)] == others
        assert queries.of_subscribers(connection, ["taro"], START) == []
        assert queries.of_prefixes(connection, ["192.0.2.8/29"], START) == []
        assert queries.subjects_of(connection, ["taro", "jiro"], ["192.0.2.8/29", "198.51.100.1/32"], START) == [
            ("subscriber", "jiro", None),
            ("destination", None, "198.51.100.1/32"),
        ]
        assert queries.changes_of(connection, "taro") == [("subscriber", "taro"), ("prefix", "192.0.2.8/29")]


def test_those_of_many_subscribers(store: Store, put: Put) -> None:
    made = [put(subscriber=f"s{number}") for number in range(3)]
    put(subscriber="s1", kind="prefix", prefix="192.0.2.8/29")
    with store.read() as connection:
        found = queries.of_subscribers(connection, [f"s{number}" for number in range(1200)], START)
    assert sorted(live.id for live in found) == made


def test_those_that_cover_an_address(store: Store, put: Put) -> None:
    four = put(kind="prefix", prefix="192.0.2.8/29", subscriber=None)
    six = put(kind="prefix", prefix="2001:db8:1::/48", subscriber=None)
    with store.read() as connection:
        for address, found in (("192.0.2.15", [four]), ("192.0.2.16", []), ("2001:db8:1:2::3", [six])):
            assert [live.id for live in queries.of_address(connection, ip_address(address), START)] == found


def test_the_next_moment(store: Store, put: Put) -> None:
    put(from_at=START + DAY)
    put(subscriber="jiro", until_at=START + 2 * DAY)
    with store.read() as connection:
        moments = [START - DAY]
        while (moment := queries.next_moment(connection, moments[-1])) is not None:
            moments.append(moment)
    assert moments[1:] == [START, START + DAY, START + 2 * DAY, START + 10 * DAY]


@pytest.mark.long
def test_one_million_are_read_in_a_few_seconds(store: Store, put: Put) -> None:
    put()
    names = [column.name for column in exemptions.columns if column.name not in ("id", "subscriber")]
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n"
    copied = f"INSERT INTO exemptions (subscriber, {', '.join(names)}) SELECT 's' || i, {', '.join(names)}"
    with store.write() as connection:
        connection.exec_driver_sql(f"{copied} FROM ({numbers}) AS counted, exemptions")
    with store.read() as connection:
        began = perf_counter()
        found = queries.subjects_in_force(connection, START)
        took = perf_counter() - began
    assert len(found) == 1_000_001
    print(f"{took:.2f} s")
    assert took < 10


def test_whom_the_time_concerns(store: Store, put: Put) -> None:
    put(until_at=START + DAY)
    put(kind="prefix", prefix="192.0.2.8/29", from_at=START + DAY)
    put(subscriber="jiro", from_at=START + 2 * DAY, granted_at=None)
    both = {("subscriber", "taro"), ("prefix", "192.0.2.8/29")}
    with store.read() as connection:
        for after, until, found in (
            (START + DAY - MICROSECOND, START + DAY, both),
            (START + DAY + MICROSECOND, START + 3 * DAY, set()),
            (START + DAY / 2, START + DAY - MICROSECOND, set()),
        ):
            assert set(queries.turned(connection, after, until)) == found
