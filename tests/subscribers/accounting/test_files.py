"""Lease files beside the ports; how they are read: tests/subscribers/leases/files."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from op25b.subscribers.accounting import files
from op25b.subscribers.accounting.config import LeaseFile
from op25b.subscribers.accounting.numbers import Counted
from op25b.subscribers.faults import Fault
from op25b.subscribers.leases import Restart
from op25b.subscribers.leases.files.reading import Read
from tests.subscribers.accounting.conftest import LeaseService
from tests.support.accounting import Taken, served
from tests.support.service import eventually


def test_a_file_a_restart_and_the_end_of_a_lease(service: LeaseService, tmp_path: Path) -> None:
    path, names = tmp_path / "dnsmasq.leases", tmp_path / "names.csv"
    names.write_text("02:00:00:00:00:01,tanaka\n")
    file = LeaseFile(name="dhcp", format="dnsmasq", path=path, names_file=names)
    service.settings = service.settings.model_copy(update={"files": (file,)})
    line = f"{int(time.time()) + 3600} 02:00:00:00:00:01 192.0.2.33 * *\n"
    path.write_text(line)
    service.start()
    eventually(lambda: service.holder("192.0.2.33") == "tanaka")
    service.stop()
    path.write_text(line.replace("2.33", "2.34").replace(":01", ":02"))
    service.start()
    eventually(lambda: service.holder("192.0.2.34") == "02:00:00:00:00:02")
    eventually(lambda: service.holder("192.0.2.33") is None)


class Steps:
    """Gives what a file would: each entry of the list at one step."""

    def __init__(self, *steps: Read | OSError) -> None:
        self._steps = list(steps)

    def step(self, now: datetime) -> Read:
        if not self._steps:
            return Read()
        found = self._steps.pop(0)
        if isinstance(found, OSError):
            raise found
        return found


def test_what_the_store_did_not_take_is_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STEP_SECONDS", 0.01)
    found = Restart("dhcp", datetime(2026, 4, 1, tzinfo=UTC))
    taken = Taken(error=RuntimeError("locked"))

    async def run() -> None:
        async with served(taken.merge) as server:
            steps = Steps(OSError(2, "No such file"), Read([], [Fault(3, "torn")]), Read([found] * 3, []))
            task = asyncio.create_task(
                files.follow("f", steps, server.intake, server.board.of(), server.complaints, lambda: 1_700_000_000.0)
            )
            while not server.counted(Counted.STORE_FAILED):
                await asyncio.sleep(0)
            taken.error = None
            while len(taken.facts) < 3:
                await asyncio.sleep(0)
            task.cancel()
            assert server.counted(Counted.FILE_LINE) == 1
            assert server.said[0]["reason"] == "No such file"

    asyncio.run(run())
