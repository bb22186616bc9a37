"""What a process does when it is told something."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import structlog

from op25b.errors import UserError
from op25b.processes.stopping import Reload, until_told


def _run(*told: signal.Signals, reads: list[Any]) -> tuple[list[object], list[str]]:
    """Tell a process that many times to reload; what it took over, and what it logged."""
    took: list[object] = []

    def read() -> object:
        found = reads.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def run() -> None:
        parent, end = os.pipe()
        seen = asyncio.Event()
        stop = until_told(parent, Reload(read, lambda found: (took.append(found), seen.set()), structlog.get_logger()))
        for each in told:
            os.kill(os.getpid(), each)
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await seen.wait()
        os.close(end)
        await stop.wait()

    with structlog.testing.capture_logs() as logs:
        asyncio.run(run())
    return took, [line["event"] for line in logs]


def test_a_reload_takes_over_what_is_there_now() -> None:
    assert _run(signal.SIGHUP, reads=["new"]) == (["new"], [])


def test_a_reload_that_finds_a_fault_changes_nothing() -> None:
    took, said = _run(signal.SIGHUP, signal.SIGHUP, reads=[UserError("policy.toml:1:1: no"), "mended"])
    assert (took, said) == (["mended"], ["not reloaded, going on as before"])
