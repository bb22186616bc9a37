"""Group commit: what comes while one group is being written makes up the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")


class GroupCommit(Generic[Item]):
    """Hands items to `write`, group by group, in a thread of its own; the event loop never waits for the disk.

    Of one event loop. `write` raises to fail the whole group that it was given.
    """

    def __init__(self, write: Callable[[list[Item]], None], name: str) -> None:
        self._write = write
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._busy = False

    async def add(self, item: Item) -> None:
        """Returns when the write of the group that `item` was in has returned; raises what that raised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append((item, future))
        if not self._busy:
            self._busy = True
            # Not at once: all that are ready in this turn of the loop shall be in the same group.
            loop.call_soon(self._start)
        await future

    async def call(self, work: Callable[[], None]) -> None:
        """Runs `work` between two groups."""
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Waits for all that was added before."""
        while self._busy:
            await self.call(lambda: None)
        self._thread.shutdown()

    def _start(self) -> None:
        group, self._waiting = self._waiting, []
        job = asyncio.get_running_loop().run_in_executor(self._thread, self._write, [item for item, _ in group])
        job.add_done_callback(lambda job: self._finish(group, job))

    def _finish(self, group: list[tuple[Item, asyncio.Future[None]]], job: asyncio.Future[None]) -> None:
        error = job.exception()
        for _, future in group:
            if future.done():  # its task was cancelled; what it added is written all the same
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
        if self._waiting:  # those just woken may join in
            asyncio.get_running_loop().call_soon(self._start)
        else:
            self._busy = False
