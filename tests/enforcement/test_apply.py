"""The six commands in a real namespace; what is in force is seen by packets."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from op25b.enforcement import generations, inventory, kernel
from op25b.enforcement.generations import Records
from op25b.errors import Missing, UserError
from tests.support.enforced import Edge, policy
from tests.support.traffic import Traffic

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("others")]
FIRST, SECOND, THIRD = policy("acd", "d"), policy("abcd", "ad"), policy("c")


def expire(edge: Edge, nft: Callable[..., str]) -> None:
    """Let an apply that waits to be confirmed run out now: to the kernel, the set is empty either way."""
    nft("flush set inet op25b pending")
    assert edge.state.pending_ms is None


def test_first_change_and_nothing_to_do(edge: Edge, traffic: Traffic) -> None:
    assert traffic.passing() == "abcd"
    planned = edge.plan(FIRST)
    assert planned
    assert [change.rule for change in planned.changes] == ["exemptions/by-source", "phase/block"]
    assert edge.status().state.current is None
    first = edge.apply(FIRST)
    assert (first.number, first.switched, first.fallback) == (1, True, None)
    assert traffic.passing() == "bd"
    assert not edge.plan(FIRST)
    assert edge.verify(FIRST) == []
    again = edge.apply(FIRST)
    assert (again.number, again.switched) == (1, False)
    assert edge.plan(SECOND)
    second = edge.apply(SECOND)
    assert (second.number, second.switched) == (2, True)
    assert traffic.passing() == "ad"
    assert edge.state == kernel.InForce(2, None, None, frozenset({2}))
    assert edge.verify(SECOND) == []


def test_what_is_planned_is_told_by_prefix(edge: Edge) -> None:
    edge.apply(FIRST)
    told = [change.describe() for change in edge.plan(SECOND).changes]
    assert told == [
        "exemptions/by-source: pass; +198.18.1.0/24, 2001:db8:1::/48 (sources)",
        "phase/block: refuse; +198.18.2.0/24, 2001:db8:2::/48 (sources)",
    ]


def test_nothing_covered(edge: Edge, traffic: Traffic) -> None:
    edge.apply(FIRST)
    edge.apply(policy(""))
    assert traffic.passing() == "abcd"
    assert edge.verify(policy("")) == []


def test_confirmed(edge: Edge, traffic: Traffic, nft: Callable[..., str]) -> None:
    edge.apply(FIRST)
    applied = edge.apply(SECOND, seconds=60)
    assert (applied.number, applied.fallback, applied.seconds) == (2, 1, 60)
    state = edge.state
    assert (state.current, state.fallback, state.generations) == (2, 1, {1, 2})
    assert 0 < (state.pending_ms or 0) <= 60_000
    assert traffic.passing() == "ad"
    assert edge.verify(SECOND) == []
    with pytest.raises(UserError, match=r"generation 2 is waiting for `op25b confirm`"):
        edge.apply(THIRD)
    assert edge.confirm() == 2
    assert edge.state == kernel.InForce(2, None, None, frozenset({2}))
    assert "pending" not in nft("list table inet op25b", "-s")
    assert traffic.passing() == "ad"
    with pytest.raises(UserError, match="nothing waits to be confirmed"):
        edge.confirm()


def test_not_confirmed_in_time(edge: Edge, traffic: Traffic, nft: Callable[..., str]) -> None:
    edge.apply(FIRST)
    edge.apply(SECOND, seconds=60)
    expire(edge, nft)
    assert edge.state == kernel.InForce(1, None, None, frozenset({1, 2}))
    assert traffic.passing() == "bd"
    assert edge.verify(FIRST) == []
    with pytest.raises(UserError, match="its time ran out"):
        edge.confirm()
    edge.apply(THIRD)
    assert edge.rollback() is not None
    assert traffic.passing() == "bd", "rolled back to what was never confirmed"


def test_first_apply_not_confirmed_in_time(edge: Edge, traffic: Traffic, nft: Callable[..., str]) -> None:
    applied = edge.apply(FIRST, seconds=60)
    assert (applied.number, applied.fallback) == (1, None)
    assert traffic.passing() == "bd"
    expire(edge, nft)
    assert edge.state.current is None
    assert traffic.passing() == "abcd"
    assert [each.describe() for each in edge.verify(FIRST)] == ["table: nothing is in force"]
    assert edge.apply(FIRST).switched
    assert traffic.passing() == "bd"
    assert edge.state == kernel.InForce(2, None, None, frozenset({2}))


def test_tampered_pending(edge: Edge, nft: Callable[..., str]) -> None:
    edge.apply(FIRST)
    edge.apply(SECOND, seconds=60)
    expire(edge, nft)
    nft("add element inet op25b pending { ipv4 }")
    assert edge.state.current == 1
    assert [each.object for each in edge.verify(FIRST)] == ["set pending"]
    edge.apply(FIRST)
    assert edge.verify(FIRST) == []
    assert edge.state.generations == {edge.state.current}


def test_rollback_while_it_waits(edge: Edge, traffic: Traffic) -> None:
    edge.apply(FIRST)
    edge.apply(SECOND, seconds=60)
    assert edge.rollback() == 1
    assert edge.state == kernel.InForce(1, None, None, frozenset({1}))
    assert traffic.passing() == "bd"
    assert edge.verify(FIRST) == []
    with pytest.raises(UserError, match="no earlier generation"):
        edge.rollback()


def test_rollback_of_a_first_apply_while_it_waits(edge: Edge, traffic: Traffic) -> None:
    edge.apply(FIRST, seconds=60)
    assert edge.rollback() is None
    assert inventory.read_table(edge.link, kernel.NAME) is None
    assert traffic.passing() == "abcd"


def test_rollback_and_its_own_rollback(edge: Edge, traffic: Traffic) -> None:
    with pytest.raises(UserError, match="no earlier generation"):
        edge.rollback()
    edge.apply(FIRST)
    with pytest.raises(UserError, match="no earlier generation"):
        edge.rollback()
    edge.apply(SECOND)
    assert edge.rollback() == 3
    assert traffic.passing() == "bd"
    assert edge.verify(FIRST) == []
    assert edge.rollback() == 4
    assert traffic.passing() == "ad"
    assert edge.verify(SECOND) == []


def test_rollback_when_the_table_is_gone(edge: Edge, traffic: Traffic, nft: Callable[..., str]) -> None:
    edge.apply(FIRST)
    nft("delete table inet op25b")
    edge.rollback()
    assert traffic.passing() == "bd"


def test_rollback_passes_over_what_was_never_in_force(edge: Edge, traffic: Traffic) -> None:
    edge.apply(FIRST)
    record = edge.records.read(1)
    assert record is not None
    # an apply that was killed between writing its record and the switch
    edge.records.write(replace(record, number=2, policy=THIRD, digest="of another", confirmed=False))
    edge.apply(SECOND)
    edge.rollback()
    assert traffic.passing() == "bd"


def test_what_treats_packets_is_confirmed_by_what_comes_next(edge: Edge, traffic: Traffic) -> None:
    edge.apply(FIRST)
    record = edge.records.read(1)
    assert record is not None
    # an apply that was killed between the switch and noting that it is meant to stay
    edge.records.write(replace(record, confirmed=False))
    edge.apply(SECOND)
    edge.rollback()
    assert traffic.passing() == "bd"


def test_only_one_at_a_time(edge: Edge) -> None:
    edge.apply(FIRST)
    for command in (lambda: edge.apply(SECOND), edge.confirm, edge.rollback):
        with Records(edge.records.folder).locked(), pytest.raises(UserError, match="at this moment"):
            command()
    assert edge.apply(SECOND).switched


def test_a_program_that_is_still_at_work_keeps_the_lock(edge: Edge) -> None:
    started = []
    with edge.records.locked():
        started.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False))
    handle = os.open(edge.records.folder / "lock", os.O_RDWR)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        started[0].communicate()
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


def test_counts_outlive_a_switch(edge: Edge, traffic: Traffic, nft: Callable[..., str]) -> None:
    edge.apply(FIRST)
    traffic.passing()
    before = edge.status().counters["phase/block"]
    seen = nft("list set inet op25b refused4", "-s"), nft("list set inet op25b refused6", "-s")
    assert before.packets == 4  # a and c, both families
    assert "198.18.1.7" in seen[0]
    assert "198.18.3.7" in seen[0]
    assert "2001:db8:1::" in seen[1]
    edge.apply(SECOND, seconds=60)
    edge.confirm()
    edge.rollback()
    assert edge.status().counters["phase/block"] == before
    traffic.passing()
    assert edge.status().counters["phase/block"].packets == 8
    for before_, name in zip(seen, ("refused4", "refused6"), strict=True):
        assert _sources(before_) <= _sources(nft(f"list set inet op25b {name}", "-s"))


def _sources(listed: str) -> set[str]:
    return {word for word in listed.replace(",", " ").split() if word.startswith(("198.18.", "2001:db8:"))}


def test_status(edge: Edge) -> None:
    assert edge.status().record is None
    edge.apply(FIRST)
    edge.apply(SECOND, seconds=60)
    status = edge.status()
    assert status.state.current == 2
    assert status.record is not None
    assert (status.record.number, status.record.policy, status.record.confirmed) == (2, SECOND, False)
    edge.confirm()
    record = edge.status().record
    assert record is not None
    assert record.confirmed


def test_old_records_go(edge: Edge) -> None:
    for number in range(generations.KEPT + 4):
        edge.apply(FIRST if number % 2 else SECOND)
    kept = edge.records.numbers()
    assert kept == list(range(5, generations.KEPT + 5))


def test_record_of_the_fallback_stays(edge: Edge) -> None:
    edge.apply(FIRST)
    record = edge.records.read(1)
    assert record is not None
    for number in range(2, 20):
        edge.records.write(replace(record, number=number, confirmed=False))
    edge.apply(SECOND, seconds=60)
    assert 1 in edge.records.numbers()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"number": 1}', "\x80"])
def test_unreadable_record(edge: Edge, traffic: Traffic, text: str) -> None:
    edge.apply(FIRST)
    edge.records._path(1).write_bytes(text.encode("latin-1"))
    assert ["no record" in each.what for each in edge.verify(FIRST) if each.object == "table"] == [True]
    assert edge.status().record is None
    assert edge.apply(FIRST).switched
    assert edge.verify(FIRST) == []
    assert traffic.passing() == "bd"


def test_records_lost(edge: Edge) -> None:
    edge.apply(FIRST)
    edge.apply(SECOND)
    for path in edge.records.folder.iterdir():
        path.unlink()
    told = [each.describe() for each in edge.verify(SECOND)]
    assert told[0].startswith("table: generation 2 is in force, and there is no record of it")
    applied = edge.apply(SECOND)
    assert (applied.number, applied.switched) == (3, True)
    assert edge.verify(SECOND) == []
    assert edge.state.generations == {3}


def test_record_of_a_policy_that_is_no_longer_accepted(edge: Edge, traffic: Traffic) -> None:
    edge.apply(FIRST)
    edge.apply(SECOND)
    for number in (1, 2):
        record = edge.records.read(number)
        assert record is not None
        edge.records.write(replace(record, policy="[of_an_older_version]"))
    assert edge.verify(SECOND)
    with pytest.raises(UserError, match="no longer accepts"):
        edge.rollback()
    assert edge.apply(SECOND).switched
    assert edge.verify(SECOND) == []
    assert traffic.passing() == "ad"


def test_folder_that_cannot_be_written(edge: Edge, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    barred = Edge(edge.link, Records(tmp_path / "file" / "state"))
    with pytest.raises(Missing, match="cannot be written"):
        barred.apply(FIRST)
    assert inventory.read_table(edge.link, kernel.NAME) is None
    assert barred.status().state.current is None
    assert barred.verify(FIRST)


def test_no_room_for_the_record(edge: Edge, traffic: Traffic) -> None:
    edge.apply(FIRST)
    (edge.records.folder / "new").symlink_to("/dev/full")
    with pytest.raises(Missing, match="No space left"):
        edge.apply(SECOND)
    (edge.records.folder / "new").unlink()
    assert traffic.passing() == "bd"
    assert edge.verify(FIRST) == []
    edge.apply(SECOND)
    assert edge.state.generations == {edge.state.current}
