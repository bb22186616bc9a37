"""The watch as it stays up: what it does while the enforcer or the store is away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import FilteringBoundLogger

from op25b.errors import UserError
from op25b.store import Store, upgrade
from op25b.watch import cases
from op25b.watch.activity import Source
from op25b.watch.cases import Case
from op25b.watch.following import Counted, Follower
from op25b.watch.job import Metric, counts
from op25b.watch.watcher import Watcher
from tests.support.attempts import DAY, RULES, bot, datagram, message, packet
from tests.watch.test_watcher import policy

SOURCE: Source = 0xC6120001


class Kernel:
    """Counts what it is told to; keeps it until it is taken, as the enforcer does."""

    def __init__(self) -> None:
        self.packets, self.handed_out, self.away = 0, 0, False
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def log(self) -> socket.socket | None:
        self._there()
        return self.ours

    def seen(self) -> Counted:
        self._there()
        self.handed_out += self.packets
        self.packets = 0
        return {"refused4": {SOURCE: self.handed_out}} if self.handed_out else {}

    def kept(self) -> None:
        self._there()
        self.handed_out = 0

    def _there(self) -> None:
        if self.away:
            raise UserError("enforcer: no enforcer answers there")

    def fire(self) -> None:
        attempts = list(bot("198.18.0.1", 1, targets=150))
        for at in range(0, len(attempts), 50):
            self.theirs.send(datagram(message(packet(each), RULES[0], at=DAY) for each in attempts[at : at + 50]))
        self.packets += len(attempts)


class World:
    def __init__(self, folder: Path, log: FilteringBoundLogger) -> None:
        self.file = folder / "op25b.db"
        upgrade(f"sqlite:///{self.file}")
        self.store, self.kernel = Store(f"sqlite:///{self.file}"), Kernel()
        watcher = Watcher(self.store, policy())
        self.follower = Follower(self.kernel, watcher, lambda: datetime.fromtimestamp(DAY / 1e6, UTC), log, 0.02)

    def cases(self) -> list[Case]:
        with self.store.read() as connection:
            return cases.listed(connection)

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not true():
                await asyncio.sleep(0.01)

    def run(self, play: Callable[[World], Awaitable[None]]) -> None:
        async def whole() -> None:
            stop = asyncio.Event()
            running = asyncio.create_task(self.follower.run(stop))
            await play(self)
            stop.set()
            await running

        asyncio.run(whole())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, structlog.get_logger())
    yield made
    made.store.close()
    made.kernel.theirs.close()
    made.kernel.ours.close()


def test_what_was_counted_before_it_ran_blames_nobody(world: World) -> None:
    world.kernel.packets = 1_000_000

    async def play(world: World) -> None:
        await world.until(lambda: world.follower.reader is not None)
        assert world.kernel.packets == 0
        world.kernel.fire()
        await world.until(lambda: world.cases() and world.cases()[0].attempts == 150)

    world.run(play)
    (case,) = world.cases()
    assert (case.kind, case.attempts, case.evidence["figures"]["packets_refused"]) == ("bot", 150, 150)
    assert dict(counts(world.follower))[Metric.RECORDS] == 150


def test_while_the_enforcer_is_away_it_waits_and_says_so_once(world: World) -> None:
    world.kernel.away = True

    async def play(world: World) -> None:
        await asyncio.sleep(0.2)
        assert world.follower.reader is None
        world.kernel.away = False
        await world.until(lambda: world.follower.reader is not None)
        world.kernel.fire()
        await world.until(world.cases)

    with capture_logs() as logged:
        world.run(play)
    assert sorted(each["what"] for each in logged) == ["counters", "log"]
    assert world.cases()[0].attempts == 150


def test_what_comes_while_the_store_is_away_is_written_when_it_is_back(world: World) -> None:
    async def play(world: World) -> None:
        await world.until(lambda: world.follower.reader is not None)
        world.store.close()
        world.file.rename(world.file.with_suffix(".gone"))
        world.kernel.fire()
        await world.until(lambda: "store" in world.follower._failures)
        world.kernel.fire()
        world.file.with_suffix(".gone").rename(world.file)
        await world.until(lambda: world.cases() and not world.kernel.packets + world.kernel.handed_out)

    with capture_logs() as logged:
        world.run(play)
    assert [each["what"] for each in logged] == ["store"]
    assert world.cases()[0].evidence["figures"]["packets_refused"] == 300
