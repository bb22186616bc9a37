"""When a process of the service ends that has nothing to take over at a reload."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable


def until_told(parent: int) -> asyncio.Event:
    """Set by SIGTERM, or when the supervisor has gone (`parent` ends)."""
    stop = asyncio.Event()
    when_told(parent, stop.set)
    return stop


def when_told(parent: int, end: Callable[[], object]) -> None:
    """As `until_told`; calls `end` then."""
    loop = asyncio.get_running_loop()

    def orphaned() -> None:
        loop.remove_reader(parent)
        end()

    loop.add_signal_handler(signal.SIGTERM, end)
    loop.add_reader(parent, orphaned)
