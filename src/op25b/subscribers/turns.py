"""Who may work next: where only so many may at a time, by rank, not by who came first; or one after the other."""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from itertools import count
from weakref import WeakValueDictionary

Rank = tuple[int, ...]
"""Lower ones come first."""


class Full(Exception):
    """It is not this one's turn in time: too many wait that come first."""


class Turns:
    """For one event loop, and tasks that are not cancelled.

    `at_once` work, `waiting` wait, and nobody for longer than `patience_seconds`; of too many the last in rank must go.
    """

    def __init__(self, at_once: int, waiting: int, patience_seconds: float) -> None:
        self._free, self._most, self._patience = at_once, waiting, patience_seconds
        self._queue: list[tuple[Rank, int, asyncio.Future[None]]] = []
        self._numbers = count()

    @asynccontextmanager
    async def turn(self, rank: Rank) -> AsyncIterator[None]:
        """Holds a turn. Raises Full."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(rank)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, rank: Rank) -> None:
        called = asyncio.get_running_loop().create_future()
        place = (rank, next(self._numbers), called)
        insort(self._queue, place)
        if len(self._queue) > self._most:
            self._queue.pop()[2].set_exception(Full("too many wait"))
        await asyncio.wait([called], timeout=self._patience)
        if not called.done():
            self._queue.remove(place)
            raise Full("the wait was too long")
        called.result()

    def _pass_on(self) -> None:
        if self._queue:
            self._queue.pop(0)[2].set_result(None)
        else:
            self._free += 1


class OneByOne:
    """For one event loop: those of one key come one after the other. `most` are at work or wait, of all keys."""

    def __init__(self, most: int) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        self._left = most

    @asynccontextmanager
    async def turn(self, key: Hashable) -> AsyncIterator[None]:
        """Holds a turn. Raises Full at once if too many wait."""
        if not self._left:
            raise Full("too many wait")
        self._left -= 1
        try:
            async with self._locks.setdefault(key, asyncio.Lock()):
                yield
        finally:
            self._left += 1
