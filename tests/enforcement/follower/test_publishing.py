"""What a host that filters tells of itself: from a real kernel, by way of the enforcer, into the store."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from op25b.enforcement.enforcer_client import Client
from op25b.enforcement.follower.metrics import Followed
from op25b.enforcement.follower.publishing import Publisher
from op25b.enforcement.generations import Records
from op25b.enforcement.requests import Kernel
from op25b.processes.board import Board
from op25b.store import Store, edges
from op25b.store.edges import Report
from tests.enforcement.conftest import link
from tests.support.enforced import Edge, policy
from tests.support.enforcer import Enforcer

__all__ = ["link"]

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
POLICY = policy("abcd", "d")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The kernel is the matter here, not the database."""
    return f"sqlite:///{tmp_path}/op25b.db"


def publisher(store: Store, records: Records) -> Publisher:
    return Publisher(store, "edge1", records, Board("op25b_follower", Followed).of(), lambda: NOW)


def told(store: Store) -> Report:
    with store.read() as connection:
        (edge,) = edges.reports(connection)
    assert (edge.name, edge.at) == ("edge1", NOW)
    return edge.report


@pytest.mark.root
def test_what_is_in_force_and_what_is_otherwise_than_applied(store: Store, edge: Edge) -> None:
    telling = publisher(store, edge.records)
    with Enforcer() as enforcer:

        def publish() -> Report:
            with Client(enforcer.path) as client:
                telling.publish(client, in_step=True, amiss=0)
            return told(store)

        assert publish().generation is None
        edge.apply(POLICY)
        found = publish()
        assert (found.generation, found.drift, found.seconds_to_confirm) == (edge.state.current, (), None)
        assert found.applied_at is not None
        assert set(found.counters) == set(edge.status().counters)
        edge.apply(policy("ab", "d"), seconds=60)
        assert 0 < (publish().seconds_to_confirm or 0) <= 60
        edge.confirm()
        main = edge.name("main")
        subprocess.run(["nft", "insert", "rule", "inet", "op25b", main, "accept"], check=True)
        assert publish().drift == (f"chain {main}: holds other rules than were applied",)
        subprocess.run(["nft", "add", "chain", "inet", "op25b", edge.name("other")], check=True)
        assert f"chain {edge.name('other')}: was added by someone else" in publish().drift


class Told:
    """An enforcer that says what a test wants."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def report(self) -> Kernel:
        return self.kernel


@pytest.mark.root
def test_what_was_refused_since_the_last_time_is_noted_by_the_hour(store: Store, edge: Edge) -> None:
    edge.apply(POLICY)
    telling, number = publisher(store, edge.records), edge.state.current
    record = edge.records.read(number or 0)
    assert record is not None
    refusing = sorted(telling._refusing(record))
    assert refusing
    for total in (1000, 1007, 1007, 3):
        counters = {refusing[0]: total, "hidden/tunnels": 1, "something that passes": total * 9}
        told_ = Told(Kernel(number, None, counters, record.chains))
        telling.publish(told_, in_step=True, amiss=0)  # type: ignore[arg-type]
    with store.read() as connection:
        assert [packets for _, packets in edges.by_hour(connection, NOW.replace(hour=0))] == [7 + 4], "made anew at 3"


def test_what_was_applied_from_elsewhere_is_said_to_be(store: Store, tmp_path: Path) -> None:
    telling = publisher(store, Records(tmp_path / "nothing"))
    telling.publish(Told(Kernel(4, None, {"x": 1}, {"g4_main": "00"})), in_step=False, amiss=2)  # type: ignore[arg-type]
    found = told(store)
    assert found.drift == (f"generation 4: what was applied cannot be read in {tmp_path}/nothing",)
    assert (found.in_step, found.amiss, found.policy_at) == (False, 2, None)
