"""Dovecot's reports of log-ins, over HTTP: what its event exporter posts (`op25b integrate dovecot`), and nothing else.

A report counts from when it arrives: whatever time it says, and however often it comes, it opens no more than a log-in
at this instant would. Who could post one could open the relay for an account, so the URL's path is a secret.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from socket import socket

import uvloop
from structlog.typing import FilteringBoundLogger

from op25b.errors import UserError
from op25b.policy.intervals import Address
from op25b.processes import logs
from op25b.processes.stopping import until_told
from op25b.submission.driver.pop_table import PopTable
from op25b.subscribers import names

SERVICES = ("pop3", "imap")
OCTETS = 4096
"""Of a report, and of the HTTP header before it."""
CONNECTIONS = 64
IDLE_SECONDS = 300.0
REPORT_SECONDS = 10.0
COMPLAIN_SECONDS = 60.0
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,128}")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)


class Refused(Exception):
    """A request that gets an HTTP error, and after that the end of the connection."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class LogIn:
    """`name` is prepared (see `names`), `address` IPv4 where it was mapped into IPv6."""

    name: str
    address: Address


def read_secret(path: Path) -> str:
    """Raises UserError for a file that cannot be read or holds no good secret."""
    try:
        text = path.read_text("ascii").strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise UserError(f"{path}: cannot be read ({why}); `pop.secret_file` names it") from None
    if not _SECRET.fullmatch(text):
        what = "not a secret of 16 to 128 characters out of A-Z a-z 0-9 - and _"
        raise UserError(f"{path}: {what}; make one with `openssl rand -hex 16`")
    if mode & 0o007:
        raise UserError(f"{path}: everybody on this host can read it; `chmod 640`, with the service's group")
    return text


def read_report(body: bytes) -> LogIn | None:
    """What one event of Dovecot's exporter (format json) says; None for an event that is no customer's log-in.

    Raises ValueError for what is no event. https://doc.dovecot.org/2.3/admin_manual/list_of_events/ tells the fields
    of auth_request_finished.
    """
    try:
        event = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deep") from None
    fields = event.get("fields") if isinstance(event, dict) else None
    if not isinstance(fields, dict):
        raise ValueError("not an event with fields")
    if event.get("event") != "auth_request_finished" or fields.get("success") != "yes":
        return None
    # with a master user's password somebody else reads this mailbox
    if fields.get("service") not in SERVICES or fields.get("master_user"):
        return None
    name, where = fields.get("user"), fields.get("remote_ip")
    if not isinstance(name, str) or not isinstance(where, str):
        raise ValueError("user or remote_ip is missing")
    address = ip_address(where)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return LogIn(names.account_name(name), address)


class Reports:
    """Takes reports from any number of connections. `wall`: the time of day; `now`: monotonic seconds."""

    def __init__(
        self,
        secret: str,
        pops: PopTable,
        log: FilteringBoundLogger,
        wall: Callable[[], datetime],
        now: Callable[[], float],
    ) -> None:
        self._path = b"/" + secret.encode()
        self._pops, self._log, self._wall, self._now = pops, log, wall, now
        self._open: dict[asyncio.StreamWriter, float] = {}
        """When they last reported: who never did goes first when there are too many."""
        self._quiet_until = now()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        self._open[writer] = 0.0
        if len(self._open) > CONNECTIONS:
            min(self._open, key=self._open.__getitem__).close()
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                while await self._request(reader, writer):
                    self._open[writer] = self._now()
        finally:
            del self._open[writer]
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False if the connection is to end."""
        try:
            self._take(await self._body(reader))
        except Refused as refused:
            self._complain(str(refused))
            writer.write(f"HTTP/1.1 {refused.status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return False
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        return True

    async def _body(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise Refused("431 Request Header Fields Too Large", "a header that is too long") from None
        method, _, rest = head.partition(b" ")
        if not hmac.compare_digest(rest.partition(b" ")[0], self._path):
            raise Refused("404 Not Found", "a wrong secret")
        length = _LENGTH.search(head)
        if method != b"POST" or length is None:
            raise Refused("400 Bad Request", "neither POST nor Content-Length")
        if int(length[1]) > OCTETS:
            raise Refused("413 Content Too Large", "an event that is too long")
        async with asyncio.timeout(REPORT_SECONDS):
            return await reader.readexactly(int(length[1]))

    def _take(self, body: bytes) -> None:
        try:
            found = read_report(body)
        except ValueError as fault:
            raise Refused("400 Bad Request", f"no event of Dovecot's: {fault}") from None
        if found is not None:
            self._pops.note(found.address, found.name, self._wall())
            self._log.info("log-in by POP", address=str(found.address), account=found.name)

    def _complain(self, why: str) -> None:
        """Once a minute at most: whoever reaches the port must not fill the log."""
        if self._now() >= self._quiet_until:
            self._quiet_until = self._now() + COMPLAIN_SECONDS
            self._log.warning("report of a log-in refused", reason=why)


def work(listening: socket, secret: str, pops: PopTable, parent: int) -> None:
    """Take reports until told to stop, or until the supervisor has gone (`parent` ends)."""
    uvloop.run(_work(listening, secret, pops, parent))


async def _work(listening: socket, secret: str, pops: PopTable, parent: int) -> None:
    stop = until_told(parent)
    reports = Reports(secret, pops, logs.start("pop"), lambda: datetime.now(UTC), time.monotonic)
    server = await asyncio.start_server(reports.connected, sock=listening, limit=OCTETS)
    await stop.wait()
    server.close()
