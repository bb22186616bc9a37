"""The spool's commits a second against a file of its own with fsync for each message.

No server around it: how fast the disk lets messages be acknowledged. Every case runs in turn, round by round.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import uvloop
from figures import Row, interleaved, main
from mailrun import BASE, disk

from op25b.submission.spool import Envelope, Origin, Reader, Recipient, Spool
from op25b.submission.spool.disk import Disk

Deliver = Callable[[bytes], Awaitable[object]]


@dataclass(frozen=True)
class Case:
    """`delay`: seconds that each sync takes longer."""

    work: str
    size: int
    at_once: int
    delay: float = 0.0


CASES = (
    Case("4 KB, 50 at once", 4 << 10, 50),
    Case("4 KB, 50 at once, sync + 2 ms", 4 << 10, 50, 0.002),
    Case("4 KB, 100 at once, sync + 2 ms", 4 << 10, 100, 0.002),
    Case("1 MB, 20 at once", 1 << 20, 20),
    Case("10 MB, 4 at once", 10 << 20, 4),
)


class SlowDisk(Disk):
    """A disk whose every sync takes `delay` seconds longer."""

    def __init__(self, delay: float) -> None:
        self.delay = delay

    def sync(self, fd: int) -> None:
        super().sync(fd)
        time.sleep(self.delay)

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        time.sleep(self.delay)


def envelope() -> Envelope:
    return Envelope(
        sender="customer@example.net",
        recipients=(Recipient("friend@example.org"),),
        arrived=datetime.now(UTC),
        origin=Origin("192.0.2.7", "ESMTPSA", "pc.example.net", "customer", "TLSv1.3 TLS_AES_256_GCM_SHA384"),
    )


async def drive(deliver: Deliver, case: Case, seconds: float) -> float:
    """Messages a second."""
    body = (b"x" * 76 + b"\r\n") * (case.size // 78 + 1)
    body = body[: case.size]
    done = 0
    end = time.perf_counter() + seconds

    async def sender() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await deliver(body)
            done += 1

    start = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(case.at_once)))
    return done / (time.perf_counter() - start)


async def spool(folder: Path, case: Case, seconds: float) -> float:
    log = Spool.open(folder, "bench", clock=lambda: datetime.now(UTC), disk=SlowDisk(case.delay))

    async def deliver(body: bytes) -> None:
        async with log.begin(envelope()) as entry:
            if case.size <= 1 << 16:
                entry.write(body)
            else:
                for at in range(0, case.size, 1 << 16):
                    entry.write(body[at : at + (1 << 16)])
                    if entry.wants_drain:
                        await entry.drain()
            await entry.commit()

    rate = await drive(deliver, case, seconds)
    await log.close()
    return rate


async def files(folder: Path, case: Case, seconds: float) -> float:
    """Temporary file, fsync, rename, fsync of the folder; a thread for each connection."""
    slow = SlowDisk(case.delay)
    numbers = count()
    loop = asyncio.get_running_loop()

    def write(body: bytes) -> None:
        path = folder / f"{next(numbers)}.tmp"
        fd = slow.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        slow.write(fd, body)
        slow.sync(fd)
        slow.close(fd)
        slow.rename(path, path.with_suffix(".msg"))
        slow.sync_folder(folder)

    with ThreadPoolExecutor(case.at_once) as threads:
        return await drive(lambda body: loop.run_in_executor(threads, write, body), case, seconds)


def read_back(folder: Path) -> float:
    """Messages a second that a relay finds."""
    reader = Reader.open(folder, exclusive=True)
    start = time.perf_counter()
    found = len(reader.scan().new)
    rate = found / (time.perf_counter() - start)
    reader.close()
    return rate


def measured(way: Callable[[Path, Case, float], Coroutine[Any, Any, float]], case: Case, seconds: float) -> float:
    """Messages a second, in a folder that goes away again."""
    with tempfile.TemporaryDirectory(prefix="op25b-bench-", dir=BASE) as folder:
        return uvloop.run(way(Path(folder), case, seconds))


def reading_back(folder: Path, case: Case, seconds: float) -> float:
    """Messages a second that a relay finds in what was written within `seconds`."""
    uvloop.run(spool(folder, case, seconds))
    return read_back(folder)


def run(quick: bool) -> list[Row]:
    place, seconds, rounds = disk(), *((0.3, 1) if quick else (2.0, 5))
    rows = []
    for case in CASES:
        found = interleaved({way.__name__: partial(measured, way, case, seconds) for way in (spool, files)}, rounds)
        own, other = found["spool"], found["files"]
        rows.append(
            Row(
                f"spool, messages a second: {case.work}",
                f"{own.median:,.0f}",
                f"a file with fsync for each {other.median:,.0f}",
                own.median / other.median,
                f"{place}; spool {own.spread(digits=0)}, files {other.spread(digits=0)}",
            )
        )
    with tempfile.TemporaryDirectory(prefix="op25b-bench-", dir=BASE) as folder:
        rate = reading_back(Path(folder), CASES[0], seconds)
    rows.append(Row("spool, messages a second that a relay finds", f"{rate:,.0f}", ""))
    return rows


if __name__ == "__main__":
    main(run)
