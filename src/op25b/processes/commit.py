"""Group commit: what comes while one group is being written makes up the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")
Done = Callable[[BaseException | None], None]
"""Called in the event loop with what went wrong, None if nothing did."""


class GroupCommit(Generic[Item]):
    """Hands items to `write`, group by group, in a thread of its own; the event loop never waits for the disk.

    Of one event loop. `write` raises to fail the whole group that it was given. `written` is called in the loop after
    each group: what it submits is in the next.
    """

    def __init__(
        self, write: Callable[[list[Item]], None], name: str, written: Callable[[], None] = lambda: None
    ) -> None:
        self._write, self._written = write, written
        # An executor would cost each group several times what this does, mostly in waiting for the interpreter's lock.
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._waiting: list[tuple[Item, Done]] = []
        self._busy = False

    def submit(self, item: Item, done: Done) -> None:
        """`done` is called when the write of the group that `item` is in has returned, or has raised."""
        self._waiting.append((item, done))
        if not self._busy:
            self._busy = True
            # Not at once: all that are ready in this turn of the loop shall be in the same group.
            asyncio.get_running_loop().call_soon(self._start)

    @property
    def busy(self) -> bool:
        """Whether a group is being written, or about to be."""
        return self._busy

    async def add(self, item: Item) -> None:
        """Returns when the write of the group that `item` was in has returned; raises what that raised."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.submit(item, partial(settle, future))
        await future

    async def call(self, work: Callable[[], None]) -> None:
        """Runs `work` between two groups; raises what that raised."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._in_thread(work, partial(settle, future))
        await future

    async def close(self) -> None:
        """Waits for all that was added before."""
        while self._busy:
            await self.call(lambda: None)
        if self._thread.ident is not None:
            self._work.put(None)
            self._thread.join()

    def _start(self) -> None:
        group, self._waiting = self._waiting, []
        self._in_thread(partial(self._write, [item for item, _ in group]), partial(self._finish, group))

    def _finish(self, group: list[tuple[Item, Done]], error: BaseException | None) -> None:
        for _, done in group:
            done(error)
        self._busy = bool(self._waiting)
        if self._busy:  # those just answered may join in
            asyncio.get_running_loop().call_soon(self._start)
        self._written()

    def _in_thread(self, work: Callable[[], None], done: Done) -> None:
        loop = asyncio.get_running_loop()

        def job() -> None:
            error = None
            try:
                work()
            except Exception as raised:
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(done, error)

        if self._thread.ident is None:
            self._thread.start()
        self._work.put(job)

    def _run(self) -> None:
        while (job := self._work.get()) is not None:
            job()


def settle(future: asyncio.Future[None], error: BaseException | None) -> None:
    """For one who awaits: as `Done`. If its task was cancelled, what it added is written all the same."""
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
