"""Lease files of this host's DHCP servers, followed by the process that takes accounting reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from op25b.errors import UserError
from op25b.processes.board import Meters
from op25b.processes.complaints import Complaints
from op25b.subscribers.accounting.config import LeaseFile
from op25b.subscribers.accounting.intake import Full, Intake, Wall
from op25b.subscribers.accounting.numbers import Counted
from op25b.subscribers.leases import Fact, Held
from op25b.subscribers.leases.files import names
from op25b.subscribers.leases.files.entry import Subscribers
from op25b.subscribers.leases.files.following import KINDS, Following, known

STEP_SECONDS = 1.0
GROUP = 1000
"""Facts that are given to the intake at once: it must have room for what access servers send, too."""

Known = Callable[[str], Mapping[str, Held]]
"""What the store has of a source (`leases.under_way`); blocks, and raises UserError while it is away."""


def subscribers(file: LeaseFile) -> Subscribers:
    """Who is who in a file. Raises UserError for a file of names that cannot be used."""
    return Subscribers(file.identity, names.read(file.names_file) if file.names_file else {})


async def follow(
    file: LeaseFile, known_of: Known, intake: Intake, meters: Meters, complaints: Complaints, wall: Wall
) -> None:
    """Follow one file until cancelled. What could not be stored is not passed over: it is tried again first."""
    followed: Following | None = None
    while True:
        try:
            if followed is None:
                held = await asyncio.to_thread(known_of, file.name)
                followed = KINDS[file.format](file.path, file.name, subscribers(file), known(held))
            found = await asyncio.to_thread(followed.step, datetime.fromtimestamp(wall(), UTC))
        except (OSError, UserError) as error:
            meters.add(Counted.FILE_AWAY)
            complaints.about(
                f"file {file.name}", "a lease file cannot be followed", file=str(file.path), reason=str(error)
            )
            await asyncio.sleep(STEP_SECONDS)
            continue
        for fault in found.faults:
            meters.add(Counted.FILE_LINE)
            about = {"file": str(file.path), "line": fault.number, "reason": fault.text}
            complaints.about(f"lines of {file.name}", "a line of a lease file was left out", **about)
        await _put(found.facts, intake)
        # after a part of a large file the next one comes at once
        await asyncio.sleep(0 if found.more else STEP_SECONDS)


async def _put(facts: Sequence[Fact], intake: Intake) -> None:
    """Until the store has them all; a fact that it has twice changes nothing."""
    while facts:
        if await _taken(facts[:GROUP], intake):
            facts = facts[GROUP:]
        else:
            await asyncio.sleep(STEP_SECONDS)


async def _taken(facts: Sequence[Fact], intake: Intake) -> bool:
    done: list[asyncio.Future[BaseException | None]] = []
    loop = asyncio.get_running_loop()
    for fact in facts:
        future: asyncio.Future[BaseException | None] = loop.create_future()
        try:
            intake.submit(fact, future.set_result)
        except Full:
            future.set_result(Full())
        done.append(future)
    return all(error is None for error in await asyncio.gather(*done))
