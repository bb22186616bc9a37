"""One destination: its connections, what waits for them, and its back-off. None waits for another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from op25b.submission.relay import mx
from op25b.submission.relay.connect import Connection, Contexts, Target, Unreachable, connect
from op25b.submission.relay.outcome import Outcome, Result, deferred, failed
from op25b.submission.relay.settings import NextHop, Settings, Tls
from op25b.submission.relay.transaction import Letter, Outcomes, Stale, deliver
from op25b.submission.spool.envelope import Recipient
from op25b.submission.spool.segment import Message

MAX_ADDRESSES = 8
"""Addresses tried for one message before it is deferred."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a destination is: a next hop that was configured, or a domain to ask MX for. `secure`: REQUIRETLS."""

    domain: str
    hop: NextHop | None
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message for those of its recipients who share a destination."""

    message: Message
    recipients: tuple[Recipient, ...]


class Sender(Protocol):
    """What a destination asks of the relay. Neither raises; `prepare` gives outcomes if there is nothing to send."""

    async def prepare(self, parcel: Parcel) -> Letter | Outcomes: ...

    def settle(self, parcel: Parcel, outcomes: Outcomes) -> None: ...

    def fault(self, parcel: Parcel, error: Exception) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all destinations share. `shuffle` orders mail hosts of equal preference."""

    settings: Settings
    resolver: mx.Resolver
    tls: Contexts
    clock: Callable[[], datetime]
    shuffle: Callable[[list[str]], None]


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
        self._open: set[Connection] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._successes = 0
        self._failures = 0
        self._down: tuple[datetime, Outcome] | None = None

    @property
    def quiet(self) -> bool:
        """Nothing under way and nothing to remember."""
        return not self._workers and not self._waiting and (self._down is None or self._down[0] <= self._around.clock())

    @property
    def connections(self) -> int:
        return len(self._workers)

    def put(self, parcel: Parcel, *, insist: bool = False) -> None:
        """Deliver when a connection is free. `insist`: an operator wants it tried, back-off or not."""
        if self._down is not None and not insist and self._around.clock() < self._down[0]:
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
        for connection in self._open:
            connection.wire.close()

    def _staff(self) -> None:
        while self._idle:
            # the one that idles shortest: the others come to an end by and by
            worker = self._idle.pop()
            if not worker.done():
                worker.set_result(None)
                return
        if len(self._workers) < min(self._around.settings.limits.connections, 1 + self._successes):
            task = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._workers.discard(task)
        if self._waiting:  # it came while the worker was taking leave
            self._staff()

    async def _work(self) -> None:
        connection: Connection | None = None
        while self._waiting or (connection is not None and await self._more_comes(connection)):
            if self._waiting:  # another worker may have been faster
                connection = await self._carry(self._waiting.popleft(), connection)
        if connection is not None:
            await self._leave(connection)

    async def _more_comes(self, connection: Connection) -> bool:
        """Keep an idle connection for a while."""
        if not self._fresh(connection):
            return False
        called = asyncio.get_running_loop().create_future()
        self._idle.append(called)
        await asyncio.wait([called], timeout=self._around.settings.limits.idle)
        if called in self._idle:
            self._idle.remove(called)
        return called.done() and not called.cancelled()

    def _fresh(self, connection: Connection) -> bool:
        limit = self._around.settings.limits.messages_per_connection
        return connection.wire.usable and connection.messages < min(limit, _limit(connection, "MAILMAX") or limit)

    async def _carry(self, parcel: Parcel, connection: Connection | None) -> Connection | None:
        """Deliver a parcel, over `connection` if it will do; gives the connection that is open after that."""
        left = list(parcel.recipients)
        try:
            connection = await self._ready(connection)
            letter = await self._sender.prepare(parcel)
            if not isinstance(letter, Letter):
                self._sender.settle(parcel, letter)
                return connection
            while left:
                try:
                    outcomes = await self._offer(letter, left, connection)
                except Stale:
                    outcomes = {}
                self._sender.settle(parcel, outcomes)
                left = [to for to in left if to.address not in outcomes]
                if left:
                    connection = await self._ready(connection)
        except (mx.NoRoute, Unreachable) as error:
            self._fail(Parcel(parcel.message, tuple(left)), error.outcome)
            return None
        except Exception as error:
            # a mistake of ours must not keep a message from ever being tried again
            self._sender.fault(parcel, error)
            self._fail(Parcel(parcel.message, tuple(left)), deferred("4.3.0", f"{type(error).__name__}: {error}"))
            return None
        return connection

    async def _offer(self, letter: Letter, left: list[Recipient], connection: Connection) -> Outcomes:
        limit = self._around.settings.limits.recipients
        at_once = min(limit, _limit(connection, "RCPTMAX") or limit)
        outcomes = await deliver(letter, left[:at_once], connection, self._around.settings.timeouts)
        if any(outcome.result is Result.DELIVERED for outcome in outcomes.values()):
            self._failures, self._down = 0, None
            self._successes += 1
            if self._waiting:
                self._staff()
        return outcomes

    async def _ready(self, connection: Connection | None) -> Connection:
        """One that can take another message. Raises NoRoute or Unreachable."""
        if connection is not None:
            if self._fresh(connection):
                return connection
            await self._leave(connection)
        connection = await self._connect()
        self._open.add(connection)
        return connection

    async def _leave(self, connection: Connection) -> None:
        await connection.wire.quit(self._around.settings.timeouts.quit)
        self._open.discard(connection)

    def _fail(self, parcel: Parcel, outcome: Outcome) -> None:
        """Everything that waits shares the fate of the message that was tried.

        There is no back-off from what is final, as a domain without hosts: it is found out quickly and may be mended.
        """
        now = self._around.clock()
        self._successes = 0
        if outcome.result is Result.DEFERRED and (self._down is None or self._down[0] <= now):
            first, most = self._around.settings.limits.back_off
            self._down = (now + timedelta(seconds=min(first * 2**self._failures, most)), outcome)
            self._failures = min(self._failures + 1, 32)
        shared = [parcel, *self._waiting]
        self._waiting.clear()
        for each in shared:
            self._sender.settle(each, dict.fromkeys([to.address for to in each.recipients], outcome))

    async def _connect(self) -> Connection:
        """To the first address that answers. Raises NoRoute or Unreachable."""
        around, last = self._around, None
        tried = 0
        async for target in self._targets():
            try:
                return await connect(target, around.settings.name, around.tls, around.settings.timeouts)
            except Unreachable as error:
                # a host that may answer later outweighs those that never will
                if last is None or last.outcome.result is Result.FAILED:
                    last = error
            tried += 1
            if tried == MAX_ADDRESSES:
                break
        if last is None:
            raise mx.NoRoute(failed("5.4.4", f"{self.place.domain} has no host to send to"))
        if self.place.secure and last.outcome.status == "4.7.5":
            raise Unreachable(failed("5.7.30", f"REQUIRETLS was asked for: {last.outcome.text}", last.outcome.remote))
        raise last

    async def _targets(self) -> AsyncIterator[Target]:
        """Where to connect to, in the order of trying. Raises NoRoute."""
        around, hop, domain = self._around, self.place.hop, self.place.domain
        if hop is not None:
            tls = Tls.VERIFIED if self.place.secure else hop.tls
            async for name, address in mx.reachable([hop.host], around.resolver):
                yield Target(name, address, hop.port, tls, hop.implicit_tls, hop.username, hop.password)
            return
        literal = mx.literal(domain)
        if literal is not None:
            found = mx.Hosts((literal,), False)
        elif domain.startswith("["):
            raise mx.NoRoute(failed("5.1.2", f"{domain} is not an address"))
        else:
            found = await mx.hosts(domain, around.resolver, around.shuffle, around.settings.names)
        if self.place.secure and not found.secure:
            # RFC 8689 4.2.1: hosts that anybody could have put in the answer do not do
            raise mx.NoRoute(failed("5.7.30", f"REQUIRETLS was asked for, and the MX of {domain} is not signed"))
        tls = Tls.VERIFIED if self.place.secure else Tls.OPPORTUNISTIC
        async for name, address in mx.reachable(found.names, around.resolver):
            yield Target(name, address, around.settings.mx_port, tls)


def _limit(connection: Connection, name: str) -> int | None:
    """A number of the next hop's LIMITS (RFC 9422)."""
    for word in connection.extensions.get("limits", "").upper().split():
        key, _, value = word.partition("=")
        if key == name and value.isdigit() and int(value) > 0:
            return int(value)
    return None
