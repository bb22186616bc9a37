"""The watch as it stays up: the log is read as it comes, and every few seconds cases are made of it and the counters.

What takes time (the store, thousands of subscribers) happens in a thread, so that no log record is lost meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from op25b.errors import Missing, UserError
from op25b.store.micros import micros
from op25b.watch import cases
from op25b.watch.activity import Activity, Source, activities
from op25b.watch.reader import Reader
from op25b.watch.tally import Tally
from op25b.watch.watcher import Watcher

GATHER_SECONDS = 0.05
"""Records wait so long for more of them: many at a time cost a tenth of what single ones do."""
FORGET_SECONDS = 3600.0
_STORE, _COUNTERS, _LOG = "store", "counters", "log"

Counted = Mapping[str, Mapping[Source, int]]
"""Packets by source, by the name of the kernel's set (`refused4` and its like)."""


class Kernel(Protocol):
    """What a process with the privilege does for this one; UserError, Missing or OSError where it cannot."""

    def log(self) -> socket.socket | None:
        """The policy's NFLOG group, opened and bound; None where the policy logs nothing."""

    def seen(self) -> Counted:
        """What was counted since the last time that it was kept."""

    def kept(self) -> None:
        """What was seen last is safe."""


@dataclass
class Follower:
    """One router's watch. `wall`: the time of day, with its zone."""

    kernel: Kernel
    watcher: Watcher
    wall: Callable[[], datetime]
    log: FilteringBoundLogger
    look_seconds: float
    tally: Tally = field(default_factory=Tally)
    reader: Reader | None = None
    _waiting: tuple[Mapping[Source, Activity], datetime, datetime] | None = None
    """Activity, since when and until when, that could not be taken in."""
    _failures: dict[str, int] = field(default_factory=dict)
    """How often in a row."""

    async def run(self, stop: asyncio.Event, alive: Callable[[], None] = lambda: None) -> None:
        """Until it is told to stop; what was read by then is written. `alive` is called each second."""
        living = asyncio.create_task(_each_second(alive))
        # how old these are is not known, so nobody is blamed for them
        since, _ = self.wall(), await self._seen()
        await self._kept()
        await self._open()
        reading = asyncio.create_task(self._read())
        forget_at = self.wall()
        try:
            while not stop.is_set():
                await _wait(stop, self.look_seconds)
                if reading.done():
                    reading.result()  # it ends by a fault only
                since = await self._look(since)
                if self.wall() >= forget_at:
                    forget_at = self.wall() + timedelta(seconds=FORGET_SECONDS)
                    await asyncio.to_thread(self._forget)
            await self._look(since, last=True)
            alive()
        finally:
            reading.cancel()
            living.cancel()

    async def _open(self) -> None:
        try:
            found = await asyncio.to_thread(self.kernel.log)
        except (UserError, Missing, OSError) as error:
            self._failed(_LOG, error)
            return
        if found is not None:
            self.reader = Reader(found, lambda: micros(self.wall()))

    async def _read(self) -> None:
        while True:
            if self.reader is None:
                await asyncio.sleep(self.look_seconds)
                await self._open()
                continue
            await _readable(self.reader.fileno())
            await asyncio.sleep(GATHER_SECONDS)
            while self._take(self.reader):
                await asyncio.sleep(0)

    def _take(self, reader: Reader) -> bool:
        """Whether there may be more."""
        before = reader.counts.lost
        records = reader.read()
        self.tally.add(records)
        if reader.counts.lost > before:
            self.log.warning("log records lost", count=reader.counts.lost - before)
        return bool(len(records))

    async def _seen(self) -> Counted:
        try:
            found = await asyncio.to_thread(self.kernel.seen)
        except (UserError, Missing, OSError) as error:
            self._failed(_COUNTERS, error)
            return {}
        self._failures.pop(_COUNTERS, None)
        return found

    async def _kept(self) -> None:
        try:
            await asyncio.to_thread(self.kernel.kept)
        except (UserError, Missing, OSError) as error:
            self._failed(_COUNTERS, error)

    async def _look(self, since: datetime, last: bool = False) -> datetime:
        """Returns until when everything is taken in; what could not be waits for the next time."""
        if self._waiting is None:
            counted = await self._seen()
            if self.reader is not None:
                self._take(self.reader)
            at = self.wall()
            found, left_out = await asyncio.to_thread(activities, self.tally.take(), counted, micros(at))
            self.tally.given_up += left_out
            self._waiting = found, since, at
        try:
            await asyncio.to_thread(self.watcher.take_in, *self._waiting)
            since, self._waiting = self._waiting[2], None
            await self._kept()
            await asyncio.to_thread(self.watcher.write, since, last)
            self._failures.pop(_STORE, None)
        except UserError as error:
            self._failed(_STORE, error)
        return since

    def _forget(self) -> None:
        before = self.wall() - timedelta(days=self.watcher.policy.watch.keep_days)
        try:
            with self.watcher.store.write() as connection:
                cases.forget(connection, before)
        except UserError as error:
            self._failed(_STORE, error)

    def _failed(self, what: str, error: Exception) -> None:
        """Said at once, and then each minute."""
        count = self._failures.get(what, 0)
        if count % max(1, round(60 / self.look_seconds)) == 0:
            self.log.error("out of reach", what=what, reason=str(error))
        self._failures[what] = count + 1


async def _each_second(alive: Callable[[], None]) -> None:
    while True:
        alive()
        await asyncio.sleep(1)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


async def _readable(descriptor: int) -> None:
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(descriptor)
