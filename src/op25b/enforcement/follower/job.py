"""The follower as a process of its own: for a router that takes no leases itself, while others fill the store."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from socket import gethostname

from structlog.typing import FilteringBoundLogger

from op25b.enforcement.enforcer_client import Client
from op25b.enforcement.follower.loop import Following
from op25b.enforcement.follower.publishing import Publisher
from op25b.enforcement.generations import Records
from op25b.enforcement.settings import Follower
from op25b.processes.board import Meters
from op25b.processes.stopping import until_told
from op25b.store import Store


def following(store: Store, settings: Follower, meters: Meters, log: FilteringBoundLogger) -> Following:
    """One that works by the clock of this host, for a process that has other work too."""

    def now() -> datetime:
        return datetime.now(UTC)

    publisher = Publisher(store, settings.name or gethostname(), Records(settings.state), meters, now)
    return Following(store, lambda: Client(settings.enforcer), now, meters, log, publisher)


def work(url: str, settings: Follower, meters: Meters, log: FilteringBoundLogger, parent: int) -> None:
    """Follow the store of `url` until told to stop."""
    store = Store(url)
    found = following(store, settings, meters, log)
    with asyncio.Runner() as runner:
        found.start()
        runner.run(_until_told(meters, parent))
    found.close()
    store.close()


async def _until_told(meters: Meters, parent: int) -> None:
    stop = asyncio.ensure_future(until_told(parent).wait())
    while not stop.done():
        meters.alive_at = time.monotonic()
        await asyncio.wait([stop], timeout=1)
