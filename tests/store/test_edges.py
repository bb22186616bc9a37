"""What hosts that filter report, in both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from op25b.store import Store, edges, upgrade
from op25b.store.edges import KEPT, Report

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
REPORT = Report(3, "2026-11-01T00:00:00+09:00", "2026-11-01T00:00:00+09:00", None, {"all": 7}, 2, ("chain x",), True, 0)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()


def test_the_last_report_of_each_host_is_kept(store: Store) -> None:
    with store.write() as connection:
        edges.put(connection, "b", REPORT, NOW)
        edges.put(connection, "a", REPORT, NOW)
        edges.put(connection, "b", replace(REPORT, generation=4, drift=()), NOW + HOUR)
        found = edges.reports(connection)
    assert [(edge.name, edge.at) for edge in found] == [("a", NOW), ("b", NOW + HOUR)]
    assert found[0].report == REPORT
    assert (found[1].report.generation, found[1].report.drift) == (4, ())


def test_packets_add_up_by_the_hour_and_old_ones_are_forgotten(store: Store) -> None:
    with store.write() as connection:
        edges.refused(connection, "a", 100, NOW - KEPT - 2 * HOUR)
        late = NOW + timedelta(minutes=29)
        for name, packets, at in (("a", 5, NOW), ("a", 2, late), ("b", 1, NOW), ("a", 9, NOW + HOUR)):
            edges.refused(connection, name, packets, at)
        hour = NOW.replace(minute=0)
        assert edges.by_hour(connection, NOW - 2 * KEPT) == [(hour, 8), (hour + HOUR, 9)]
        assert edges.by_hour(connection, hour + HOUR) == [(hour + HOUR, 9)]
