"""A disk that does not keep up holds clients back: what they send waits in their own memory, not in the service's."""

from __future__ import annotations

import asyncio
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from op25b.cli.service import present
from op25b.processes import logs
from op25b.submission.driver import metrics
from op25b.submission.driver import service as driver
from op25b.submission.driver.connection import Connection
from op25b.submission.driver.ledger import Ledger
from op25b.submission.spool import Spool
from op25b.submission.spool.disk import Disk
from tests.support.service import CUSTOMER, MESSAGE, Service, Wire

MEMORY = 1 << 20
FIRST, MORE = 8, 60
LARGE = MESSAGE + (b"x" * 70 + b"\r\n") * 20_000
READ = 256 << 10
"""Octets that a connection reads at once."""
TABLES = f"[submission.limits]\nmemory = {MEMORY}\n[submission.limits.address]\nconnections = 0\n"


class Stuck(Disk):
    """Writes nothing until it is told to go on."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()

    def write(self, fd: int, data: bytes) -> None:
        assert self.goes_on.wait(60)
        super().write(fd, data)


def _wall() -> datetime:
    return datetime.now(UTC)


def _worker(folder: Path, disk: Disk) -> tuple[driver.Service, Any]:
    """One worker's service without its process, and its listener for relaying."""
    read, policy = present.read(Service(folder, tables=TABLES).config)
    config = read.mail
    assert config is not None
    terms = driver.Terms.of(config, policy, lambda *_: None, _wall)
    spool = Spool.open(folder / "spool", "worker", clock=_wall, disk=disk)
    board, none = metrics.board(1), cast(Any, None)  # nobody logs in, and no recipient is local
    view, log = Ledger(1).view(0), logs.start("worker")
    made = driver.Service(terms, view, board, board.of(0), spool, none, none, log, time.monotonic, _wall)
    return made, next(each for each in config.submission.listen if each.role == "relay")


def _send(port: int) -> bytes:
    with Wire(port, CUSTOMER) as wire:
        wire.reply()
        wire.ask(b"EHLO pc")
        wire.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@c.example>\r\nDATA\r\n")
        assert [wire.reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
        wire.send(LARGE)
        return wire.ask(b".")


def test_clients_are_held_back_while_the_disk_is_stuck(folder: Path) -> None:
    disk = Stuck()

    async def play() -> None:
        service, listen = _worker(folder, disk)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(service, listen), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def all_held(count: int) -> None:
            while len(service.connections) < count or any(each._transport.is_reading() for each in service.connections):
                await asyncio.sleep(0.01)

        with ThreadPoolExecutor(FIRST + MORE) as threads:
            tracemalloc.start()
            try:
                first = [loop.run_in_executor(threads, _send, port) for _ in range(FIRST)]
                async with asyncio.timeout(10):
                    await all_held(FIRST)
                    assert service.behind()
                    more = [loop.run_in_executor(threads, _send, port) for _ in range(MORE)]
                    await all_held(FIRST + MORE)
                assert tracemalloc.get_traced_memory()[1] < MEMORY + FIRST * 2 * READ + MORE * (16 << 10)
            finally:
                tracemalloc.stop()
                disk.goes_on.set()
            replies = await asyncio.gather(*first, *more)
        assert {reply[:3] for reply in replies} == {b"250"}
        assert not service.behind()
        assert service.receiving == service._committing == 0
        server.close()
        await service.spool.close()

    asyncio.run(play())
