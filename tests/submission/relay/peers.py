"""Next hops on the loopback: aiosmtpd with a script for what it answers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from op25b.submission.relay.settings import NextHop


@dataclass
class Got:
    """A message that a peer took."""

    sender: str
    recipients: list[str]
    content: bytes
    mail_options: list[str]
    rcpt_options: list[str]
    encrypted: bool


@dataclass
class Script:
    """What a peer answers. `rcpt`: by address; a list is used up from its front, its last answer stays."""

    rcpt: dict[str, list[str]] = field(default_factory=dict)
    mail: list[str] = field(default_factory=lambda: ["250 2.1.0 OK"])
    end: list[str] = field(default_factory=lambda: ["250 2.0.0 OK"])
    hide: set[str] = field(default_factory=set)
    show: list[str] = field(default_factory=list)
    drop_in_data: int = 0
    drop_after_data: int = 0
    slow: float = 0.0
    slow_quit: float = 0.0


class Peer:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.got: list[Got] = []
        self.connections = 0
        self.at_once = 0
        self.most_at_once = 0
        self.ehlo: set[str] = set()
        self.port = 0
        self.quits = 0
        self.log_ins = 0

    @property
    def hop(self) -> NextHop:
        return NextHop("127.0.0.1", self.port)

    def contents(self, recipient: str) -> list[bytes]:
        return [each.content for each in self.got if recipient in each.recipients]

    async def handle_EHLO(self, server: Any, session: Session, envelope: Envelope, name: str, lines: list[str]) -> Any:
        session.host_name = name
        self.ehlo.add(name)
        kept = [line for line in lines[:-1] if not any(word in line for word in self.script.hide)]
        return [*kept, *(f"250-{word}" for word in self.script.show), lines[-1]]

    async def handle_MAIL(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(self.script.slow)
        answer = _next(self.script.mail)
        if answer.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = _next(self.script.rcpt.get(address, ["250 2.1.5 OK"]))
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return answer

    async def handle_QUIT(self, server: Any, session: Session, envelope: Envelope) -> str:
        self.quits += 1
        await asyncio.sleep(self.script.slow_quit)
        return "221 2.0.0 bye"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        if self.script.drop_in_data:
            self.script.drop_in_data -= 1
            server.transport.abort()
            return "451 never seen"
        answer = _next(self.script.end)
        if answer.startswith("2"):
            assert isinstance(envelope.content, bytes)
            assert envelope.mail_from is not None
            self.got.append(
                Got(
                    envelope.mail_from,
                    list(envelope.rcpt_tos),
                    envelope.content,
                    list(envelope.mail_options),
                    list(envelope.rcpt_options),
                    session.ssl is not None,
                )
            )
        if self.script.drop_after_data:
            self.script.drop_after_data -= 1
            server.transport.abort()
        return answer


def _next(answers: list[str]) -> str:
    return answers.pop(0) if len(answers) > 1 else answers[0]


class _Server(SMTP):
    """aiosmtpd, extended by the parameters of DSN and REQUIRETLS, which it does not know."""

    peer: Peer

    def connection_made(self, transport: Any) -> None:
        if self.transport is None:
            self.peer.connections += 1
            self.peer.at_once += 1
            self.peer.most_at_once = max(self.peer.most_at_once, self.peer.at_once)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.peer.at_once -= 1
        super().connection_lost(error)

    async def smtp_MAIL(self, arg: str) -> None:
        self._odd_mail, arg = _odd(arg, ("RET=", "ENVID=", "REQUIRETLS"))
        await super().smtp_MAIL(arg)
        if self.envelope is not None and self.envelope.mail_from is not None:
            self.envelope.mail_options.extend(self._odd_mail)

    async def smtp_RCPT(self, arg: str) -> None:
        odd, arg = _odd(arg, ("NOTIFY=", "ORCPT="))
        await super().smtp_RCPT(arg)
        if self.envelope is not None:
            self.envelope.rcpt_options.extend(odd)


def _odd(arg: str, names: tuple[str, ...]) -> tuple[list[str], str]:
    words = arg.split(" ")
    odd = [word for word in words if word.startswith(names)]
    return odd, " ".join(word for word in words if word not in odd)


@asynccontextmanager
async def peer(
    script: Script | None = None,
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    password: tuple[str, str] | None = None,
    port: int = 0,
) -> AsyncIterator[Peer]:
    made = Peer(script or Script())

    def authenticator(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        made.log_ins += 1
        return AuthResult(success=password == (data.login.decode(), data.password.decode()))

    def factory() -> SMTP:
        server = _Server(
            made,
            hostname="peer.example.com",
            ident="peer",
            enable_SMTPUTF8=True,
            tls_context=tls,
            authenticator=authenticator if password else None,
            auth_required=password is not None,
            timeout=30,
        )
        server.peer = made
        return server

    listener = await asyncio.get_running_loop().create_server(factory, host, port)
    made.port = listener.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        listener.close()
