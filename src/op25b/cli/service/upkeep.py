"""What must be done now and then where the store is: what has ended is written down, what is old is forgotten."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.processes import logs
from op25b.processes.stopping import Reload, until_told
from op25b.processes.supervisor import Job
from op25b.store import Store, changes
from op25b.subscribers.credentials import reissues
from op25b.subscribers.exemptions import desk
from op25b.subscribers.leases import forget_old

EACH_SECONDS = 600.0
LETTERS = timedelta(days=90)
"""How long the names and postal addresses of those are kept whose letter was sent."""
FEED = timedelta(days=1)
"""How long a follower may be away and go on from where it was; after that it reads everything anew."""


def made(present: Present) -> Part:
    """Several hosts may do it at the same time."""
    return Part([Job("upkeep", lambda parent: asyncio.run(_work(present, parent)))], [])


async def _work(present: Present, parent: int) -> None:
    log, store = logs.start("upkeep"), Store(present.config.store)
    policy = present.policy

    def take(read: Policy) -> None:
        nonlocal policy
        policy = read

    stop = until_told(parent, Reload(lambda: present.reread()[1], take, log))
    while not stop.is_set():
        try:
            await asyncio.to_thread(keep_up, store, policy, datetime.now(UTC))
        except UserError as error:
            log.warning("the store could not be kept up", reason=str(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(EACH_SECONDS):
                await stop.wait()
    store.close()


def keep_up(store: Store, policy: Policy, at: datetime) -> None:
    """Doing it twice changes nothing more. Raises UserError if the store cannot be used."""
    desk.sweep(store, at)
    reissues.forget_old(store, at - LETTERS)
    forget_old(store, at - timedelta(days=policy.leases.keep_days))
    with store.write() as connection:
        changes.forget(connection, at - FEED)
