"""One destination: its connections, what waits for them, and its back-off. None waits for another."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime, timedelta

from op25b.submission.relay.carrier import Carrier, Parcel, Sender
from op25b.submission.relay.outcome import Outcome, Result
from op25b.submission.relay.places import Place, Surroundings
from op25b.submission.relay.slots import Slot, Standing


class Destination:
    """A worker is a connection. There is one until a message was handed over, then one more with each, up to the limit:

    a host that is dead, or has just come back, is not stormed. While it is dead what comes is deferred at once.
    """

    def __init__(self, place: Place, around: Surroundings, sender: Sender) -> None:
        self.place = place
        self._around = around
        self._sender = sender
        self._waiting: deque[Parcel] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._successes = 0
        self._failures = 0
        self._down: tuple[datetime, Outcome] | None = None
        self._forget_at: datetime | None = None

    @property
    def quiet(self) -> bool:
        """Nothing under way and nothing to remember."""
        remembers = self._forget_at is not None and self._forget_at > self._around.clock()
        return not self._workers and not self._waiting and not remembers

    @property
    def connections(self) -> int:
        return len(self._workers)

    @property
    def waiting(self) -> int:
        """Messages that wait for a connection."""
        return len(self._waiting)

    @property
    def down(self) -> bool:
        """No connection could be made, and none is tried yet."""
        return self._down is not None and self._around.clock() < self._down[0]

    @property
    def standing(self) -> Standing:
        if self._failures:
            return Standing.FAILING
        return Standing.WORKING if self._successes else Standing.UNTRIED

    def put(self, parcel: Parcel, *, insist: bool = False) -> None:
        """Deliver when a connection is free. `insist`: an operator wants it tried, back-off or not."""
        if self._down is not None and self.down and not insist:
            self._sender.settle(parcel, dict.fromkeys([to.address for to in parcel.recipients], self._down[1]))
            return
        self._waiting.append(parcel)
        self._staff()

    async def close(self, grace: float) -> None:
        """Takes up nothing more; cuts off what is under way after `grace` seconds: it waits in the spool, unsettled."""
        self._waiting.clear()
        for idle in self._idle:
            idle.cancel()
        if self._workers:
            _, late = await asyncio.wait(self._workers, timeout=grace)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def succeeded(self) -> None:
        """A message was handed over."""
        self._failures, self._down, self._forget_at = 0, None, None
        self._successes += 1
        if self._waiting:
            self._staff()

    def failed(self, parcel: Parcel, outcome: Outcome) -> None:
        """No connection could be made: everything that waits shares the fate of the message that was tried.

        There is no back-off from what is final, as a domain without hosts: it is found out quickly and may be mended.
        """
        now = self._around.clock()
        self._successes = 0
        if outcome.result is Result.DEFERRED and not self.down:
            first, most = self._around.settings.limits.back_off
            pause = timedelta(seconds=min(first * 2**self._failures, most))
            self._down, self._forget_at = (now + pause, outcome), now + 3 * pause
            self._failures = min(self._failures + 1, 32)
        shared = [parcel, *self._waiting]
        self._waiting.clear()
        for each in shared:
            self._sender.settle(each, dict.fromkeys([to.address for to in each.recipients], outcome))

    def _staff(self) -> None:
        while self._idle:
            # the one that idles shortest: the others come to an end by and by
            worker = self._idle.pop()
            if not worker.done():
                worker.set_result(None)
                return
        slot = None
        if self._workers:
            # the first waits for its turn; others are there only where there is room
            if len(self._workers) >= min(self._around.settings.limits.connections, 1 + self._successes):
                return
            slot = self._around.slots.take(self.standing)
            if slot is None:
                return
        task = asyncio.get_running_loop().create_task(self._work(slot))
        self._workers.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._workers.discard(task)
        if self._waiting:  # it came while the worker was taking leave
            self._staff()

    async def _work(self, slot: Slot | None) -> None:
        carrier = Carrier(self.place, self._around, self._sender, self, slot)
        try:
            while self._waiting or (carrier.fresh and await self._more_comes()):
                if self._around.slots.wanted and len(self._workers) > 1:
                    break  # others have no connection at all
                if self._waiting:  # another worker may have been faster
                    await carrier.carry(self._waiting.popleft())
            await carrier.leave()
        finally:
            carrier.cut()

    async def _more_comes(self) -> bool:
        """Keep an idle connection for a while, unless others want it."""
        if self._around.slots.wanted:
            return False
        called = asyncio.get_running_loop().create_future()
        self._idle.append(called)
        await asyncio.wait([called], timeout=self._around.settings.limits.idle)
        if called in self._idle:
            self._idle.remove(called)
        return called.done() and not called.cancelled()
