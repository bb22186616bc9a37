"""The accounting port: packets to facts, and an answer for each once it is where it belongs (RFC 2866 2).

Who gets no answer sends again: that is what a full queue, a locked store and a process that dies have in common.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from socket import socket
from typing import Any

from op25b.processes.board import Meters
from op25b.processes.complaints import Complaints
from op25b.subscribers.accounting import packets
from op25b.subscribers.accounting.clients import Clients
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
AT_ONCE = 512
"""Packets that are read before somebody else has his turn."""
PATIENCE_SECONDS = 0.05
"""How long a group may take until what comes is read all the same, to be told from what is no report."""


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


class Accounting:
    """One UDP socket, read from `listen` to `close`. `subscriber`: the attribute that names whom a report is about.

    While a group is being put into the store nothing is read: what comes waits in the socket, and is the next group.
    The two threads would only take the interpreter's lock from each other, thousands of times a second; each time one
    of them waits until the system lets it run again. When a group takes long, this goes on.
    """

    def __init__(
        self,
        port: socket,
        clients: Clients,
        answers: Answers,
        intake: Intake,
        meters: Meters,
        complaints: Complaints,
        subscriber: Attribute,
        wall: Wall,
    ) -> None:
        self._port, self._clients, self._answers, self._intake = port, clients, answers, intake
        self._meters, self._complaints = meters, complaints
        self._subscriber, self._wall = subscriber, wall
        self._open = self._reading = False
        self._patience: asyncio.TimerHandle | None = None

    def listen(self) -> None:
        """From now on, in this event loop."""
        self._port.setblocking(False)
        self._open = True
        self._intake.after_each(self._go_on)
        self._read_when_there_is()

    def close(self) -> None:
        """What comes is left for the next process; what has come is still answered."""
        self._open = False
        self._rest()
        if self._patience is not None:
            self._patience.cancel()

    def _read_when_there_is(self) -> None:
        if self._open and not self._reading:
            self._reading = True
            asyncio.get_running_loop().add_reader(self._port, self._read)

    def _rest(self) -> None:
        if self._reading:
            self._reading = False
            asyncio.get_running_loop().remove_reader(self._port)

    def _go_on(self) -> None:
        """The store and the filter have a group."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self._open:
            self._read()
            if not self._intake.busy:
                self._read_when_there_is()

    def _read(self) -> None:
        for _ in range(AT_ONCE):
            try:
                self._take(*self._port.recvfrom(packets.LONGEST))
            except BlockingIOError:
                break
            except OSError:
                # somebody who was answered is not there any more (ICMP): of no matter to the others
                continue
        if self._patience is None and self._intake.busy:
            self._rest()
            self._patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._read_when_there_is)

    def _take(self, data: bytes, addr: Source) -> None:
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
            self._port.sendto(answer, addr)
