"""Accounting packets as an access server sends them, made by pyrad, and a lease server to send them to."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from ipaddress import ip_network
from typing import Any

import structlog
from pyrad.dictionary import Dictionary
from pyrad.packet import AcctPacket

from op25b.processes.board import Board
from op25b.processes.complaints import Complaints
from op25b.subscribers.accounting.clients import Client, Clients
from op25b.subscribers.accounting.facts import Attribute
from op25b.subscribers.accounting.intake import Intake, Merge
from op25b.subscribers.accounting.numbers import Counted
from op25b.subscribers.accounting.server import Accounting, Answers
from op25b.subscribers.leases import Fact, Merged

SECRET = b"a secret of the tests"
DICTIONARY = Dictionary(
    StringIO("""
ATTRIBUTE User-Name 1 string
ATTRIBUTE NAS-IP-Address 4 ipaddr
ATTRIBUTE Framed-IP-Address 8 ipaddr
ATTRIBUTE Class 25 octets
ATTRIBUTE Calling-Station-Id 31 string
ATTRIBUTE NAS-Identifier 32 string
ATTRIBUTE Proxy-State 33 octets
ATTRIBUTE Acct-Status-Type 40 integer
ATTRIBUTE Acct-Delay-Time 41 integer
ATTRIBUTE Acct-Session-Id 44 string
ATTRIBUTE Acct-Session-Time 46 integer
ATTRIBUTE Event-Timestamp 55 integer
ATTRIBUTE Message-Authenticator 80 octets
ATTRIBUTE NAS-IPv6-Address 95 ipv6addr
ATTRIBUTE Framed-IPv6-Prefix 97 ipv6prefix
ATTRIBUTE Delegated-IPv6-Prefix 123 ipv6prefix
ATTRIBUTE Framed-IPv6-Address 168 ipv6addr
""")
)
START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8


def packet(
    status: int = START, identifier: int = 1, secret: bytes = SECRET, signed: bool = False, **attributes: Any
) -> bytes:
    """An Accounting-Request of the session s1 of u1 at bng1, which has 192.0.2.1; None takes an attribute away."""
    given = {
        "Acct_Status_Type": status,
        "NAS_Identifier": "bng1",
        "Acct_Session_Id": "s1",
        "User_Name": "u1",
        "Framed_IP_Address": "192.0.2.1",
        **attributes,
    }
    made = AcctPacket(id=identifier, secret=secret, dict=DICTIONARY)
    for name, value in given.items():
        if value is not None:
            made[name.replace("_", "-")] = value
    if signed:
        made.add_message_authenticator()
    return bytes(made.RequestPacket())


@dataclass
class Taken:
    """A store that keeps facts in memory. `error`: what it raises instead. While `open` is not set it is locked."""

    facts: list[Fact] = field(default_factory=list)
    error: Exception | None = None
    open: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.open.set()

    def merge(self, facts: Iterable[Fact], now: datetime) -> Merged:
        assert self.open.wait(30)
        if self.error is not None:
            raise self.error
        self.facts += facts
        return Merged((), 0)


@dataclass
class Served:
    """A lease server of this process. `said`: what it logged."""

    address: tuple[str, int]
    port: Accounting
    intake: Intake
    board: Board
    complaints: Complaints
    said: list[dict[str, Any]]

    def counted(self, metric: Counted) -> int:
        return self.board.total(metric)


@asynccontextmanager
async def served(
    merge: Merge,
    sync: Callable[[], None] = lambda: None,
    after: Callable[[Merged], None] = lambda _: None,
    clients: Sequence[Client] = (Client(ip_network("127.0.0.0/8"), SECRET),),
    wall: Callable[[], float] = lambda: 1_700_000_000.0,
    now: Callable[[], float] = lambda: 1000.0,
) -> AsyncIterator[Served]:
    """A UDP port of 127.0.0.1."""
    said: list[dict[str, Any]] = []

    def keep(_: object, __: str, event: Any) -> str:
        said.append(dict(event))
        raise structlog.DropEvent

    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[keep])
    board = Board("op25b_leases", Counted)
    complaints = Complaints(log, now)
    intake = Intake(merge, sync, after, board.of(), complaints, wall)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        common = (intake, board.of(), complaints, Attribute.USER_NAME, wall)
        port = Accounting(bound, Clients(clients), Answers(now), *common)
        port.listen()
        try:
            yield Served(bound.getsockname(), port, intake, board, complaints, said)
        finally:
            port.close()
            await intake.close()


class AccessServer:
    """Sends packets to an address and waits for answers."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(address)

    def send(self, octets: bytes) -> None:
        self._socket.send(octets)

    async def answer(self, seconds: float = 5.0) -> bytes:
        """The next one. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            return await asyncio.get_running_loop().sock_recv(self._socket, 4096)

    async def ask(self, octets: bytes) -> bytes:
        self.send(octets)
        return await self.answer()

    def close(self) -> None:
        self._socket.close()
