"""The process of the watch, and its numbers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from op25b.policy.model import Policy
from op25b.processes import board as boards
from op25b.processes import logs
from op25b.processes.board import Board
from op25b.processes.health import Shown
from op25b.processes.stopping import Reload, until_told
from op25b.store import Store
from op25b.watch.following import Follower, Kernel
from op25b.watch.watcher import Watcher


class Metric(boards.Metric):
    """What the watch counts."""

    RECORDS = "counter", "Log records of refused and monitored attempts that were read."
    LOST = "counter", "Log records that the kernel numbered and that never came."
    OVERRUNS = "counter", "Times that the log's socket was full."
    UNREADABLE = "counter", "Log records that are no whole IP header."
    GIVEN_UP = "counter", "Sources whose log records were dropped for want of room, the least active first."
    FORGOTTEN = "counter", "Subscribers and addresses that were forgotten for want of room, the least active first."
    DISPUTED = "counter", "Packets that nobody is blamed for: their address changed hands meanwhile."
    OPENED = "counter", "Cases opened."
    CLOSED = "counter", "Cases closed by themselves."
    CASES = "gauge", "Cases that are open."


def board() -> Board:
    """The numbers, before the process is forked."""
    return Board("op25b_watch", Metric)


def shown(numbers: Board) -> Shown:
    """What health and metrics show of it."""
    return Shown(numbers.families, lambda now: {"watch": numbers.state(0, now)})


def work(
    kernel: Kernel,
    store: str,
    policy: Policy,
    reread: Callable[[], Policy],
    look_seconds: float,
    numbers: Board,
    parent: int,
) -> None:
    """Runs until SIGTERM, or until the supervisor has gone (`parent` ends); at SIGHUP the policy is read again."""
    asyncio.run(_run(kernel, store, policy, reread, look_seconds, numbers, parent))


async def _run(
    kernel: Kernel,
    store: str,
    policy: Policy,
    reread: Callable[[], Policy],
    look_seconds: float,
    numbers: Board,
    parent: int,
) -> None:
    log, meters = logs.start("watch"), numbers.of()
    opened, zone = Store(store), ZoneInfo(policy.provider.time_zone)
    watcher = Watcher(opened, policy)
    follower = Follower(kernel, watcher, lambda: datetime.now(zone), log, look_seconds)

    def take(changed: Policy) -> None:
        watcher.policy = changed

    said = dict[Metric, int]()

    def alive() -> None:
        meters.alive_at = time.monotonic()
        for metric, value in counts(follower):
            # counters go on where another process, which has died, left them
            if metric.kind == "counter":
                meters.add(metric, value - said.get(metric, 0))
            else:
                meters.set(metric, value)
            said[metric] = value

    stop = until_told(parent, Reload(reread, take, log))
    alive()
    try:
        await follower.run(stop, alive)
    finally:
        opened.close()


def counts(follower: Follower) -> Iterator[tuple[Metric, int]]:
    """Each number as it is now."""
    report = follower.watcher.report
    if follower.reader is not None:
        read = follower.reader.counts
        yield Metric.RECORDS, read.records
        yield Metric.LOST, read.lost
        yield Metric.OVERRUNS, read.overruns
        yield Metric.UNREADABLE, read.unreadable
    yield Metric.GIVEN_UP, follower.tally.given_up
    yield Metric.FORGOTTEN, report.forgotten
    yield Metric.DISPUTED, report.disputed
    yield Metric.OPENED, report.opened
    yield Metric.CLOSED, report.closed
    yield Metric.CASES, report.open
