"""Dovecot's authentication protocol as it is served to Postfix: connections, and the exchanges under way on each."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from itertools import count
from typing import cast

from structlog.typing import FilteringBoundLogger

from op25b.processes.board import Meters
from op25b.submission.driver.login import LATER, SUSPENDED, LogIn
from op25b.submission.driver.metrics import Metric
from op25b.submission.postfix import auth_session
from op25b.submission.postfix.auth_session import Answer, Begin, Cancel, Request, Session, Unreadable
from op25b.submission.protocol import Authenticated, Challenge, Reply
from op25b.subscribers.async_login import AsyncLogins
from op25b.subscribers.dovecot_wire import Malformed

CONNECTIONS = 1000
"""One for each smtpd process that offers AUTH; Postfix has 100 for each service (default_process_limit)."""
EXCHANGES = 32
"""Under way on one connection. Postfix has one; those that its clients left in the middle stay behind."""
GREETING_SECONDS = 30

NO_MECHANISM = "this mechanism is not offered"
NO_TLS = "your mail program must use STARTTLS or SSL/TLS"
UNREADABLE = "the answer is not base64"
WRONG = "the name or the password is wrong"


class AuthServer:
    """What all connections share."""

    def __init__(self, logins: AsyncLogins, meters: Meters, log: FilteringBoundLogger) -> None:
        self.logins, self.meters, self.log = logins, meters, log
        self.mechanisms: Sequence[str] = ()
        self.without_tls = False
        self.connections: set[AuthConnection] = set()
        self.numbers = count(1)

    def offer(self, mechanisms: Sequence[str], without_tls: bool) -> None:
        """To connections from now on; `without_tls`: to clients without TLS as well, at once."""
        self.mechanisms, self.without_tls = mechanisms, without_tls

    def connection(self) -> AuthConnection:
        """A new one; for `create_server`."""
        return AuthConnection(self)

    def close(self) -> None:
        """Clients whose log-in is under way are told to come back: Postfix says 454 4.7.0."""
        for connection in self.connections:
            connection.close()


class AuthConnection(asyncio.Protocol):
    """One smtpd process's. Each exchange has the number that Postfix gave it.

    A log-in that cannot be answered now closes the connection: Postfix 3.7 makes 535 of every FAIL, on which mail
    programs ask for the password, and 454 4.7.0 of nothing but this.
    """

    def __init__(self, server: AuthServer) -> None:
        self._server = server
        self._session = Session()
        self._mechanisms = server.mechanisms
        self._exchanges: OrderedDict[int, LogIn] = OrderedDict()
        """Those that wait for their client, the one that waits longest first."""
        self._tasks: dict[int, asyncio.Task[None]] = {}
        """Those that wait for us."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        server = self._server
        if len(server.connections) >= CONNECTIONS:
            server.log.error("too many connections to the SASL server", limit=CONNECTIONS)
            self.close()
            return
        server.connections.add(self)
        asyncio.get_running_loop().call_later(GREETING_SECONDS, self._check_greeting)
        number, cookie = next(server.numbers), secrets.token_bytes(16)
        self._write(auth_session.greeting(self._mechanisms, os.getpid(), number, cookie))

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._exchanges.clear()

    def data_received(self, data: bytes) -> None:
        try:
            for request in self._session.receive(data):
                self._handle(request)
        except Malformed as error:
            self._server.log.error("not Dovecot's authentication protocol, closing", reason=str(error))
            self.close()

    def pause_writing(self) -> None:
        # who does not read the answers is not listened to either
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def close(self) -> None:
        self._transport.close()

    def _check_greeting(self) -> None:
        if not self._session.greeted:
            self.close()

    def _handle(self, request: Request) -> None:
        number = request.number
        if number in self._tasks or (isinstance(request, Begin) and number in self._exchanges):
            raise Malformed("a request's number is used again")
        waiting = self._exchanges.pop(number, None)
        match request:
            case Begin():
                self._begin(request)
            case Answer(_, octets) if waiting is not None:
                self._go_on(number, waiting, waiting.go_on(octets))
            case Answer():
                self.close()
            case Unreadable():
                self._fail(number, UNREADABLE)
            case Cancel():
                pass

    def _begin(self, request: Begin) -> None:
        server, number = self._server, request.number
        if request.mechanism not in self._mechanisms:
            self._fail(number, NO_MECHANISM)
        elif not (request.secured or server.without_tls):
            self._fail(number, NO_TLS)
        elif len(self._tasks) >= EXCHANGES:
            self.close()
        else:
            while len(self._tasks) + len(self._exchanges) >= EXCHANGES:
                self._exchanges.popitem(last=False)
            log_in = LogIn(server.logins, request.mechanism, request.address, {}, _nonce)
            self._go_on(number, log_in, log_in.begin(request.initial))

    def _go_on(self, number: int, log_in: LogIn, answer: Challenge | Authenticated | None) -> None:
        if answer is None:
            self._tasks[number] = asyncio.get_running_loop().create_task(self._wait(number, log_in))
        else:
            self._settle(number, log_in, answer)

    async def _wait(self, number: int, log_in: LogIn) -> None:
        try:
            answer = await log_in.answer()
        finally:
            del self._tasks[number]
        self._settle(number, log_in, answer)

    def _settle(self, number: int, log_in: LogIn, answer: Challenge | Authenticated | Reply) -> None:
        match answer:
            case Challenge(octets):
                self._exchanges[number] = log_in
                self._write(auth_session.go_on(number, octets))
            case Authenticated(name):
                self._note(log_in, True)
                self._write(auth_session.let_in(number, name))
            case Reply():
                self._note(log_in, False)
                self._refuse(number, answer)

    def _refuse(self, number: int, reply: Reply) -> None:
        if reply.code == LATER.code:
            self.close()
        else:
            self._fail(number, reply.text if reply == SUSPENDED else WRONG)

    def _note(self, log_in: LogIn, taken: bool) -> None:
        server = self._server
        server.meters.add(Metric.LOGINS if taken else Metric.LOGINS_FAILED)
        server.log.info(
            "log-in" if taken else "log-in failed",
            address=str(log_in.address),
            account=log_in.name,
            mechanism=log_in.mechanism,
            **({} if taken else {"reason": log_in.detail}),
        )

    def _fail(self, number: int, reason: str) -> None:
        self._write(auth_session.refuse(number, reason))

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


def _nonce() -> bytes:
    return secrets.token_urlsafe(18).encode()
