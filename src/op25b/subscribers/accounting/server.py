"""The accounting port: packets to facts, and an answer for each once it is where it belongs (RFC 2866 2).

Who gets no answer sends again: that is what a full queue, a locked store and a process that dies have in common.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast

from op25b.processes.board import Meters
from op25b.subscribers.accounting import packets
from op25b.subscribers.accounting.clients import Clients
from op25b.subscribers.accounting.complaints import Complaints
from op25b.subscribers.accounting.facts import Attribute, fact
from op25b.subscribers.accounting.faults import Discarded, Fault
from op25b.subscribers.accounting.intake import Full, Intake, Wall
from op25b.subscribers.accounting.numbers import Counted

Source = tuple[Any, ...]
Key = tuple[Source, bytes]
REMEMBER_SECONDS = 10.0
"""How long an answer is kept for a request that comes again (RFC 5080 2.2.2), and half of that at least."""
REMEMBERED = 65536
"""Answers kept, at most twice over."""


class Answers:
    """What was answered, or is about to be, by who asked and the request's first 20 octets. `now`: monotonic seconds.

    The Request Authenticator among these is a sum over all of the request: other content is another request.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._young: dict[Key, bytes | None] = {}
        self._old: dict[Key, bytes | None] = {}
        self._turn = now()

    def knows(self, key: Key) -> bool:
        return key in self._young or key in self._old

    def get(self, key: Key) -> bytes | None:
        """The answer; None while it is being worked for."""
        return self._young.get(key) or self._old.get(key)

    def put(self, key: Key, answer: bytes | None) -> None:
        if self._now() - self._turn > REMEMBER_SECONDS / 2 or len(self._young) >= REMEMBERED:
            self._young, self._old, self._turn = {}, self._young, self._now()
        self._young[key] = answer

    def forget(self, key: Key) -> None:
        self._young.pop(key, None)
        self._old.pop(key, None)


class Accounting(asyncio.DatagramProtocol):
    """One UDP socket. `subscriber`: the attribute that names whom a report is about."""

    def __init__(
        self,
        clients: Clients,
        answers: Answers,
        intake: Intake,
        meters: Meters,
        complaints: Complaints,
        subscriber: Attribute,
        wall: Wall,
    ) -> None:
        self._clients, self._answers, self._intake = clients, answers, intake
        self._meters, self._complaints = meters, complaints
        self._subscriber, self._wall = subscriber, wall
        self.deaf = False
        """Once it is set, what comes is left for the next process: it will be sent again."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own is of no common class with uvloop's
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Source) -> None:
        if self.deaf:
            return
        try:
            self._received(data, addr)
        except Discarded as discarded:
            self._meters.add(Counted[discarded.fault.name])
            self._complaints.about(
                discarded.fault,
                "accounting packet discarded",
                fault=discarded.fault,
                why=str(discarded),
                client=addr[0],
            )
        except Full:
            self._complaints.about("full", "accounting packets not answered: too many wait for the store")

    def _received(self, data: bytes, addr: Source) -> None:
        client = self._clients.of(addr[0])
        if client is None:
            raise Discarded(Fault.UNKNOWN_CLIENT, "no client has this address")
        request = packets.read(data, client.secret, client.signs)
        if request.code == packets.STATUS_SERVER:
            # a proxy that hears nothing sends its reports elsewhere, or keeps them
            if not self._intake.failing:
                self._send(packets.answer(request, client.secret), addr)
            return
        key = (addr, request.octets[:20])
        if self._answers.knows(key):
            self._meters.add(Counted.REPEATED)
            if (answer := self._answers.get(key)) is not None:
                self._send(answer, addr)
            return
        found = fact(request.attributes, self._subscriber, self._wall(), addr[0])
        answer = packets.answer(request, client.secret)
        if found is None:
            self._meters.add(Counted.IGNORED)
            self._send(answer, addr)
            return
        self._intake.submit(found, partial(self._settled, key, answer))
        self._answers.put(key, None)

    def _settled(self, key: Key, answer: bytes, error: BaseException | None) -> None:
        if error is not None:
            self._answers.forget(key)
            return
        self._answers.put(key, answer)
        self._send(answer, key[0])

    def _send(self, answer: bytes, addr: Source) -> None:
        # a port 0, say: those who cannot be answered must not keep others from it
        with suppress(OSError, ValueError):
            self._transport.sendto(answer, addr)
