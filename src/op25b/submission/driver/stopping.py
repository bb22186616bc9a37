"""When a process of the service ends that has nothing to take over at a reload."""

from __future__ import annotations

import asyncio
import signal


def until_told(parent: int) -> asyncio.Event:
    """Set by SIGTERM, or when the supervisor has gone (`parent` ends). SIGHUP does nothing from now on."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def orphaned() -> None:
        loop.remove_reader(parent)
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    loop.add_reader(parent, orphaned)
    return stop
