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
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from socket import socket

import uvloop
from structlog.typing import FilteringBoundLogger

from op25b.errors import UserError
from op25b.policy.intervals import Address
from op25b.processes import logs, secret_files
from op25b.processes.posts import Posts, Refused
from op25b.processes.stopping import until_told
from op25b.submission.driver.pop_table import PopTable
from op25b.subscribers import names

SERVICES = ("pop3", "imap")
OCTETS = 4096
"""Of a report, and of the HTTP header before it."""
CONNECTIONS = 64
COMPLAIN_SECONDS = 60.0
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,128}")


@dataclass(frozen=True)
class LogIn:
    """`name` is prepared (see `names`), `address` IPv4 where it was mapped into IPv6."""

    name: str
    address: Address


def read_secret(path: Path) -> str:
    """Raises UserError for a file that cannot be read or holds no good secret."""
    text = secret_files.read(path, "pop.secret_file")
    if not _SECRET.fullmatch(text):
        what = "not a secret of 16 to 128 characters out of A-Z a-z 0-9 - and _"
        raise UserError(f"{path}: {what}; make one with `openssl rand -hex 16`")
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
    """What is done with reports. `wall`: the time of day; `now`: monotonic seconds."""

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
        self._quiet_until = now()
        self.connected = Posts(self._admit, self._take, self._complain, now, OCTETS, CONNECTIONS).connected

    def _admit(self, target: bytes, _: bytes) -> None:
        if not hmac.compare_digest(target, self._path):
            raise Refused("404 Not Found", "a wrong secret")

    async def _take(self, body: bytes) -> None:
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
