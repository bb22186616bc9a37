"""Lease files of DHCP servers on this host: the same facts, from a file that is followed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from op25b.processes.board import Meters
from op25b.processes.commit import settle
from op25b.subscribers.accounting.complaints import Complaints
from op25b.subscribers.accounting.intake import Full, Intake, Wall
from op25b.subscribers.accounting.numbers import Counted
from op25b.subscribers.leases import Fact
from op25b.subscribers.leases.files.following import Following
from op25b.subscribers.leases.files.reading import Read

STEP_SECONDS = 1.0
BATCH = 1000
"""Facts that are submitted at once: few enough that access servers' reports need not wait."""


async def follow(
    name: str, following: Following, intake: Intake, meters: Meters, complaints: Complaints, wall: Wall
) -> None:
    """Put what is new in a file into the store, step by step, until it is cancelled. `name` is for the log."""
    while True:
        found = await _step(name, following, meters, complaints, wall)
        if found.faults:
            meters.add(Counted.FILE_LINE, len(found.faults))
            first = found.faults[0]
            complaints.about(name, "lines of a lease file were left out", file=name, line=first.number, why=first.text)
        for start in range(0, len(found.facts), BATCH):
            batch = found.facts[start : start + BATCH]
            # the next step must not begin before: it would not find again what was lost here
            while not await _taken(batch, intake):
                await asyncio.sleep(STEP_SECONDS)
        await asyncio.sleep(0 if found.more else STEP_SECONDS)


async def _step(name: str, following: Following, meters: Meters, complaints: Complaints, wall: Wall) -> Read:
    now = datetime.fromtimestamp(wall(), UTC)
    try:
        return await asyncio.get_running_loop().run_in_executor(None, following.step, now)
    except OSError as error:
        meters.add(Counted.FILE_AWAY)
        complaints.about(name, "a lease file cannot be read", file=name, reason=error.strerror)
        return Read()


async def _taken(facts: Sequence[Fact], intake: Intake) -> bool:
    """False if any of them was not; all may then be submitted again."""
    loop, settled = asyncio.get_running_loop(), []
    try:
        for fact in facts:
            future: asyncio.Future[None] = loop.create_future()
            intake.submit(fact, partial(settle, future))
            settled.append(future)
    except Full:
        pass
    errors = await asyncio.gather(*settled, return_exceptions=True)
    return len(errors) == len(facts) and not any(errors)
