"""Connections out of all destinations together: how many at once, and who may have one."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import IntEnum


class Standing(IntEnum):
    """What is known of a destination. The value: how many quarters of all places those up to it may hold together.

    So hosts that never answer, however many they are, leave places to those that may, and these to those that do.
    """

    FAILING = 1
    UNTRIED = 3
    WORKING = 4


class Slot:
    """The right to one connection."""

    __slots__ = ("standing",)

    def __init__(self, standing: Standing) -> None:
        self.standing = standing


class Slots:
    """`total` places, four at least; who waits gets one in the order of coming. Of one event loop."""

    def __init__(self, total: int) -> None:
        if total < 4:
            raise ValueError("a relay needs four connections at least")
        self._total = total
        self._taken = dict.fromkeys(Standing, 0)
        self._waiting: dict[Standing, deque[tuple[int, asyncio.Future[Slot]]]] = {each: deque() for each in Standing}
        self._came = 0

    @property
    def taken(self) -> int:
        return sum(self._taken.values())

    @property
    def wanted(self) -> bool:
        """Somebody waits for a place that is not there."""
        return any(not future.done() for waiting in self._waiting.values() for _, future in waiting)

    def tight(self, standing: Standing) -> bool:
        """More than half of what such a destination may have is taken."""
        return sum(self._taken[each] for each in Standing if each <= standing) * 8 > self._total * standing

    def take(self, standing: Standing) -> Slot | None:
        """At once, or not at all. Nobody is overtaken: whoever could have this place has it by now."""
        if not self._free(standing):
            return None
        self._taken[standing] += 1
        return Slot(standing)

    async def wait(self, standing: Standing) -> Slot:
        """As soon as there is a place."""
        slot = self.take(standing)
        if slot is not None:
            return slot
        future: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._came += 1
        self._waiting[standing].append((self._came, future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give_back(future.result())
            raise

    def promote(self, slot: Slot) -> None:
        """It works: its place is no longer one of those that are kept few."""
        self._taken[slot.standing] -= 1
        slot.standing = Standing.WORKING
        self._taken[slot.standing] += 1
        self._hand_out()

    def give_back(self, slot: Slot) -> None:
        self._taken[slot.standing] -= 1
        self._hand_out()

    def _free(self, standing: Standing) -> bool:
        return all(
            sum(self._taken[each] for each in Standing if each <= level) < self._total * level // 4
            for level in Standing
            if level >= standing
        )

    def _hand_out(self) -> None:
        while heads := [
            standing for standing in Standing if self._first(standing) is not None and self._free(standing)
        ]:
            standing = min(heads, key=lambda each: self._waiting[each][0][0])
            _, future = self._waiting[standing].popleft()
            slot = self.take(standing)
            assert slot is not None
            future.set_result(slot)

    def _first(self, standing: Standing) -> asyncio.Future[Slot] | None:
        waiting = self._waiting[standing]
        while waiting and waiting[0][1].done():  # whoever waited was cancelled
            waiting.popleft()
        return waiting[0][1] if waiting else None
