"""The spool's commits a second against a file of its own with fsync for each message.

    PYTHONPATH=src python bench/spool.py [--folder DIR] [--seconds S] [--rounds N]

Every case runs in turn, round by round; the table has the medians.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import uvloop

from op25b.submission.spool import Envelope, Origin, Reader, Recipient, Spool
from op25b.submission.spool.disk import Disk

Deliver = Callable[[bytes], Awaitable[object]]
CASES = [(4 << 10, 50, 0.0), (4 << 10, 50, 0.002), (4 << 10, 100, 0.002), (1 << 20, 20, 0.0), (10 << 20, 4, 0.0)]


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


async def drive(deliver: Deliver, size: int, concurrency: int, seconds: float) -> float:
    """Messages a second."""
    body = (b"x" * 76 + b"\r\n") * (size // 78 + 1)
    body = body[:size]
    done = 0
    end = time.perf_counter() + seconds

    async def sender() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await deliver(body)
            done += 1

    start = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(concurrency)))
    return done / (time.perf_counter() - start)


async def spool(folder: Path, size: int, concurrency: int, delay: float, seconds: float) -> float:
    log = Spool.open(folder, "bench", clock=lambda: datetime.now(UTC), disk=SlowDisk(delay) if delay else Disk())

    async def deliver(body: bytes) -> None:
        async with log.begin(envelope()) as entry:
            if size <= 1 << 16:
                entry.write(body)
            else:
                for at in range(0, size, 1 << 16):
                    entry.write(body[at : at + (1 << 16)])
                    if entry.wants_drain:
                        await entry.drain()
            await entry.commit()

    rate = await drive(deliver, size, concurrency, seconds)
    await log.close()
    return rate


async def files(folder: Path, size: int, concurrency: int, delay: float, seconds: float) -> float:
    """Temporary file, fsync, rename, fsync of the folder; a thread for each connection."""
    disk = SlowDisk(delay) if delay else Disk()
    numbers = count()
    loop = asyncio.get_running_loop()

    def write(body: bytes) -> None:
        path = folder / f"{next(numbers)}.tmp"
        fd = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        disk.write(fd, body)
        disk.sync(fd)
        disk.close(fd)
        disk.rename(path, path.with_suffix(".msg"))
        disk.sync_folder(folder)

    with ThreadPoolExecutor(concurrency) as threads:
        return await drive(lambda body: loop.run_in_executor(threads, write, body), size, concurrency, seconds)


def read_back(folder: Path) -> float:
    """Messages a second that a relay finds."""
    reader = Reader.open(folder, exclusive=True)
    start = time.perf_counter()
    found = len(reader.scan().new)
    rate = found / (time.perf_counter() - start)
    reader.close()
    return rate


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    figures: dict[tuple[int, int, float, str], list[float]] = {}
    for _ in range(asked.rounds):
        for size, concurrency, delay in CASES:
            for way in (spool, files):
                folder = Path(tempfile.mkdtemp(prefix="op25b-bench-", dir=asked.folder))
                rate = uvloop.run(way(folder, size, concurrency, delay, asked.seconds))
                figures.setdefault((size, concurrency, delay, way.__name__), []).append(rate)
                if way is spool and size == 4 << 10 and not delay:
                    figures.setdefault((size, 1, 0.0, "read back"), []).append(read_back(folder))
                shutil.rmtree(folder)
    print(f"{'size':>10} {'at once':>8} {'sync +':>8} {'':10} {'a second':>10} {'MB/s':>8}")
    for (size, concurrency, delay, name), rates in figures.items():
        rate = statistics.median(rates)
        mb = rate * size / 1e6
        print(f"{size:>10} {concurrency:>8} {delay * 1000:>5.0f} ms {name:10} {rate:>10,.0f} {mb:>8,.0f}")


if __name__ == "__main__":
    main()
