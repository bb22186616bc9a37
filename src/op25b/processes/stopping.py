"""What a process of the service does when it is told something: end, or take over what has changed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Generic, TypeVar

from structlog.typing import FilteringBoundLogger

from op25b.errors import UserError

T = TypeVar("T")


def until_told(parent: int, reload: Callable[[], object] | None = None) -> asyncio.Event:
    """Set by SIGTERM, or when the supervisor has gone (`parent` ends)."""
    stop = asyncio.Event()
    when_told(parent, stop.set, reload)
    return stop


def when_told(parent: int, end: Callable[[], object], reload: Callable[[], object] | None = None) -> None:
    """As `until_told`; calls `end` then. `reload` is called at SIGHUP; without it, a reload changes nothing."""
    loop = asyncio.get_running_loop()

    def orphaned() -> None:
        loop.remove_reader(parent)
        end()

    loop.add_signal_handler(signal.SIGTERM, end)
    if reload is not None:
        loop.add_signal_handler(signal.SIGHUP, reload)
    loop.add_reader(parent, orphaned)


class Reload(Generic[T]):
    """A reload: `read` is called in a thread and makes everything ready, `take` in the loop and cannot fail.

    What `read` raises as UserError is logged, and all goes on as before: the supervisor has looked already, but files
    may change at any time.
    """

    def __init__(self, read: Callable[[], T], take: Callable[[T], object], log: FilteringBoundLogger) -> None:
        self._read, self._take, self._log = read, take, log
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def __call__(self) -> None:
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        async with self._turn:
            try:
                found = await asyncio.get_running_loop().run_in_executor(None, self._read)
            except UserError as error:
                self._log.error("not reloaded, going on as before", reason=str(error))
            else:
                self._take(found)
