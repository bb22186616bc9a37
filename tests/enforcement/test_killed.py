"""An apply killed at any moment leaves the old or the new ruleset in force: seen by packets that flow meanwhile.

Old and new differ in both directions: the new one lets pool a through and refuses pool b; c is refused and d passes
under both.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from op25b.enforcement import inventory, kernel
from op25b.enforcement.netlink import Netlink
from tests.support.enforced import NOW, Edge, hosts, loaded, policy, ranges
from tests.support.traffic import Flow, Traffic

pytestmark = pytest.mark.root
OLD, NEW = policy("acd", "d"), policy("abcd", "ad")
MANY = (*ranges(5_000), *hosts(10_000))
OLD_MANY, NEW_MANY = policy("acd", "d", MANY), policy("abcd", "ad", MANY)
PASSES = {"old": "bd", "new": "ad"}


def treatments(fates: list[tuple[Flow, str]], first: str, second: str) -> list[str]:
    """Which ruleset treated the packets, each time that it changes. A packet that fits neither is an AssertionError."""
    by = []
    for (pool, version), fate in fates:
        fits = [name for name in (first, second) if fate == ("arrived" if pool in PASSES[name] else "reset")]
        assert fits, f"a packet from pool {pool} over IPv{version} {fate}"
        if len(fits) == 1:
            by += fits
    return [name for name, _ in groupby(by)]


@contextmanager
def applying(edge: Edge, text: str, seconds: int | None = None) -> Iterator[int]:
    """An apply in a process of its own, which leads a group of its own; its id. It is gone when the block ends."""
    loaded(text)  # here, so that the apply has it
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            with Netlink() as link:
                Edge(link, edge.records).apply(text, seconds)
            os._exit(0)
        os._exit(1)
    os.setpgid(child, child)
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells of: the state of the kernel."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


def settled(edge: Edge) -> None:
    """Wait until no program that the killed one had started is at work any more."""
    handle = os.open(edge.records.folder / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.close(handle)


def only_generation(edge: Edge) -> bool:
    """Whether everything in the table belongs to what is in force."""
    names = [each.name for each in inventory.read_chains(edge.link, kernel.NAME)]
    names += [each.name for each in inventory.read_sets(edge.link, kernel.NAME)]
    lasting = ("forward", "refused", "monitored", "exempt", "__set", "__map", edge.name(""))
    return edge.state.generations == {edge.state.current} and all(name.startswith(lasting) for name in names)


@dataclass(frozen=True)
class Timing:
    """Of one apply, in seconds from its start."""

    switch: float
    end: float

    @classmethod
    def of(cls, edge: Edge, text: str) -> Timing:
        before, start = edge.state.current, time.monotonic()
        with applying(edge, text) as child:
            until(lambda: edge.state.current != before)
            switch = time.monotonic() - start
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        return cls(switch, time.monotonic() - start)

    def points(self, spread: int, around: int) -> list[float]:
        """Instants all over the apply and half as long again, for a machine that is busy; and close to the switch."""
        near = self.end / 8
        return [
            *(1.5 * self.end * number / spread for number in range(spread)),
            *(max(0.0, self.switch - near + 2 * near * number / around) for number in range(around)),
        ]


def kill_at_each(edge: Edge, traffic: Traffic, points: list[float], texts: dict[str, str]) -> set[str]:
    """Apply new over old and old over new in turn, killed at each of the instants; what was found in force after."""
    before, after = "old", "new"
    found = set()
    edge.apply(texts[before])
    for number, point in enumerate(points):
        old = edge.state.current
        with traffic.flowing() as flowing:
            with applying(edge, texts[after]) as child:
                time.sleep(point)
                # every other time nft is killed along with what had started it
                (os.killpg if number % 2 else os.kill)(child, signal.SIGKILL)
            settled(edge)
        in_force = edge.state
        killed = before if in_force.current == old else after
        found.add(killed)
        assert in_force.current in in_force.generations
        assert in_force.pending_ms is None
        assert traffic.passing() == PASSES[killed]
        with traffic.flowing() as again:
            edge.apply(texts[after])
        assert only_generation(edge)
        assert edge.verify(texts[after]) == []
        fates = [*flowing.fates, *again.fates, *traffic.probe().items()]
        assert treatments(fates, before, after) == [before, after]
        before, after = after, before
    return found


def test_killed_at_fifty_points_under_traffic(edge: Edge, traffic: Traffic) -> None:
    edge.apply(OLD)
    timing = Timing.of(edge, NEW)
    found = kill_at_each(edge, traffic, timing.points(30, 20), {"old": OLD, "new": NEW})
    assert found == {"old", "new"}, "the instants do not enclose the switch"
    assert [path.name for path in edge.records.folder.iterdir() if path.suffix != ".json"] == ["lock"]


@pytest.mark.long
def test_killed_at_ten_points_with_large_sets(edge: Edge, traffic: Traffic) -> None:
    edge.apply(OLD_MANY)
    timing = Timing.of(edge, NEW_MANY)
    found = kill_at_each(edge, traffic, timing.points(5, 5), {"old": OLD_MANY, "new": NEW_MANY})
    assert found == {"old", "new"}, "the instants do not enclose the switch"


def test_killed_while_it_waits_for_confirmation_it_goes_back_by_itself(edge: Edge, traffic: Traffic) -> None:
    edge.apply(OLD)
    old = edge.state.current
    with traffic.flowing() as flowing:
        with applying(edge, NEW, seconds=1):
            until(lambda: edge.state.pending_ms is not None)
        settled(edge)
        until(lambda: edge.state.pending_ms is None)
    assert edge.state.current == old
    fates = [*flowing.fates, *traffic.probe().items()]
    assert treatments(fates, "old", "new") == ["old", "new", "old"]
    assert edge.verify(OLD) == []
    assert not edge.apply(OLD).switched
    assert only_generation(edge)


def test_killed_at_points_of_an_apply_to_be_confirmed(edge: Edge, traffic: Traffic) -> None:
    edge.apply(OLD)
    timing = Timing.of(edge, NEW)
    edge.apply(OLD)
    outcomes = set()
    for point in (0.0, *timing.points(0, 4), None):
        with traffic.flowing() as flowing:
            with applying(edge, NEW, seconds=1):
                if point is None:
                    until(lambda: edge.state.pending_ms is not None)
                else:
                    time.sleep(point)
            settled(edge)
            switched = edge.state.pending_ms is not None
            until(lambda: edge.state.pending_ms is None)
        outcomes.add(switched)
        fates = [*flowing.fates, *traffic.probe().items()]
        assert treatments(fates, "old", "new") == (["old", "new", "old"] if switched else ["old"])
        edge.apply(OLD)
        assert only_generation(edge)
    assert outcomes == {True, False}


@pytest.mark.long
def test_the_command_killed(edge: Edge, traffic: Traffic, tmp_path: Path) -> None:
    files = {"old": tmp_path / "old.toml", "new": tmp_path / "new.toml"}
    files["old"].write_text(OLD)
    files["new"].write_text(NEW)
    options = ["--state", str(edge.records.folder), "--at", NOW.isoformat()]

    def command(which: str) -> list[str]:
        return [sys.executable, "-m", "op25b", "apply", str(files[which]), *options]

    start = time.monotonic()
    subprocess.run(command("old"), check=True, capture_output=True)
    lasts = time.monotonic() - start
    before, after = "old", "new"
    for number in range(12):
        with traffic.flowing() as flowing:
            with subprocess.Popen(command(after), stdout=subprocess.DEVNULL) as child:
                time.sleep(lasts * (0.6 + number / 24))
                child.kill()
            settled(edge)
            subprocess.run(command(after), check=True, capture_output=True)
            assert only_generation(edge)
        assert treatments(flowing.fates, before, after) == [before, after]
        before, after = after, before
