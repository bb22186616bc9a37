"""Passwords checked by a running Dovecot, over its auth socket: a client of Dovecot's authentication protocol 1.x.

https://doc.dovecot.org/2.3/developer_manual/design/auth_protocol/. One connection carries any number of requests at
once, each with a number of its own; Dovecot answers in any order (a refusal two seconds late).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from op25b.subscribers.dovecot_wire import Lines, Malformed, line, parameters
from op25b.subscribers.lockout import Address

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0
VERSION = ("VERSION", "1", "2")


class Away(Exception):
    """Dovecot cannot be asked now, or could not find out."""


class Ended(Away):
    """The connection ended before the answer came."""


@dataclass(frozen=True)
class Answer:
    """`user`: Dovecot's name for who has the right password, None if it is wrong or there is no such user.

    `closed`: why this user may not log in all the same (the passdb's `nologin`).
    """

    user: str | None = None
    closed: str | None = None


WRONG = Answer()


class DovecotAuth:
    """A Dovecot, by the path of its socket (`service auth { unix_listener ... }`). It is connected to when it is asked.

    `random`: so many octets that no other client of the same Dovecot has.
    """

    def __init__(self, path: str, random: Callable[[int], bytes]) -> None:
        self._path, self._random = path, random
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[_Connection] | None = None

    async def check(self, name: str, password: str, address: Address) -> Answer:
        """Is this the user's password? `address`: the client's. Raises Away."""
        connection = await self._connected()
        try:
            return await connection.ask(name, password, address)
        except Ended:  # a Dovecot that is reloaded ends what it has; the next one is there already
            connection = await self._connected()
            return await connection.ask(name, password, address)

    async def close(self) -> None:
        """Part from Dovecot; who waits for an answer gets none."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._connection.close()

    async def _connected(self) -> _Connection:
        if self._connection is not None and not self._connection.is_over:
            return self._connection
        # everybody waits for one try: each for himself would wait for all before him
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> _Connection:
        made = _Connection(self._path)
        number = int.from_bytes(self._random(4), "big") >> 1
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await made.begin(str(number))
        except TimeoutError:
            made.close()
            raise Away(f"Dovecot at {self._path} does not say what it offers") from None
        except OSError as error:
            raise Away(f"Dovecot at {self._path} is away: {error.strerror or error}") from None
        finally:
            self._connecting = None
        self._connection = made
        return made


class _Connection:
    """One connection, from its handshake to its end."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._last = 0
        self._mechanisms: set[str] = set()
        self._greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self.is_over = False

    async def begin(self, number: str) -> None:
        """Connect, and hear what Dovecot offers. `number` is this client's. Raises OSError and Away."""
        reader, self._writer = await asyncio.open_unix_connection(self._path)
        self._writer.write(line(*VERSION) + line("CPID", number))
        self._reading = asyncio.create_task(self._read(reader))
        await self._greeted
        if "PLAIN" not in self._mechanisms:
            self.close()
            raise Away("Dovecot does not offer PLAIN; add it to its auth_mechanisms")

    async def ask(self, name: str, password: str, address: Address) -> Answer:
        """One request. Raises Away."""
        assert self._writer is not None
        self._last = self._last % 0xFFFFFFFF + 1
        key = str(self._last)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answer
        response = base64.b64encode(b"\0".join(text.encode() for text in ("", name, password))).decode()
        # no-penalty: whoever guesses meets op25b's lock-out. nologin: nobody will ask Dovecot for a mailbox after this
        facts = ("service=smtp", "secured", "no-penalty", "nologin", f"rip={address}", f"resp={response}")
        self._writer.write(line("AUTH", key, "PLAIN", *facts))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            raise Away(f"Dovecot did not answer within {ANSWER_SECONDS:.0f} seconds") from None
        finally:
            self._waiting.pop(key, None)

    def close(self) -> None:
        """End it; who waits hears Away."""
        self._end("the connection was closed")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        lines, why = Lines(), "Dovecot closed the connection"
        try:
            while data := await reader.read(65536):
                for fields in lines.feed(data):
                    self._take(*fields)
        except (OSError, Malformed) as error:
            why = str(error)
        self._end(why)

    def _take(self, command: str, *fields: str) -> None:
        match command, fields:
            case "VERSION", (major, *_) if major != VERSION[1]:
                raise Malformed(f"Dovecot speaks version {major} of its protocol")
            case "MECH", (name, *_):
                self._mechanisms.add(name)
            case "DONE", _ if not self._greeted.done():
                self._greeted.set_result(None)
            case (("OK" | "FAIL" | "CONT"), (key, *given)):
                waiting = self._waiting.get(key)
                if waiting is None or waiting.done():
                    return
                try:
                    waiting.set_result(_answer(command, parameters(given)))
                except Away as away:
                    waiting.set_exception(away)

    def _end(self, why: str) -> None:
        self.is_over = True
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None and self._reading is not asyncio.current_task():
            self._reading.cancel()
        unanswered: list[asyncio.Future[Any]] = [self._greeted, *self._waiting.values()]
        for waiting in unanswered:
            with suppress(asyncio.InvalidStateError):
                waiting.set_exception(Ended(why))


def _answer(command: str, given: dict[str, str]) -> Answer:
    if command == "OK" and "user" in given:
        # a proxy's passdb says nologin of every user
        closed = "nologin" in given and "proxy" not in given
        return Answer(given["user"], given.get("reason", "nologin") if closed else None)
    if command != "FAIL":
        raise Away(f"Dovecot answers {command} where PLAIN is over")
    if "temp" in given or given.get("code") == "temp_fail":
        raise Away("Dovecot could not look the user up; its log says why")
    return WRONG
