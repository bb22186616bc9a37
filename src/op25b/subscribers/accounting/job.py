"""The process that takes accounting reports, over RADIUS and over HTTP."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import uvloop

from op25b.errors import UserError
from op25b.processes import listening, logs, secret_files
from op25b.processes.board import Meters
from op25b.processes.complaints import Complaints
from op25b.processes.posts import Posts
from op25b.processes.stopping import Reload, until_told
from op25b.subscribers.accounting import files, posted
from op25b.subscribers.accounting.clients import Client, Clients
from op25b.subscribers.accounting.config import LeaseServer
from op25b.subscribers.accounting.facts import SUBSCRIBER
from op25b.subscribers.accounting.intake import Intake, Merge
from op25b.subscribers.accounting.server import Accounting, Answers
from op25b.subscribers.leases import Merged

QUEUE_OCTETS = 8 << 20
"""Of a UDP port: some 10,000 packets, for the time that a commit or a restart of the process takes."""
_SWITCH_SECONDS = 0.0005
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")


@dataclass(frozen=True)
class Sockets:
    """What is listened at. They outlive the process: what comes while it is away waits in them."""

    radius: Sequence[socket]
    http: Sequence[socket]

    @classmethod
    def of(cls, settings: LeaseServer) -> Sockets:
        """Raises UserError and Missing for what cannot be had."""
        http = settings.http
        return cls(
            [listening.datagrams(each.address, each.port, QUEUE_OCTETS) for each in settings.listen],
            [listening.single(http.address, http.port)] if http else [],
        )

    def all(self) -> list[socket]:
        return [*self.radius, *self.http]


@dataclass(frozen=True)
class Secrets:
    """What is read from the files that the configuration names, again at each reload."""

    clients: list[Client]
    token: str | None


def secrets(settings: LeaseServer) -> Secrets:
    """Raises UserError for files that cannot be read or hold no good secret."""
    return Secrets(
        [Client(each.prefix, _shared(each.secret_file), each.message_authenticator) for each in settings.clients],
        token(settings.http.token_file) if settings.http else None,
    )


def token(path: Path) -> str:
    """What FreeRADIUS shows over HTTP. Raises UserError as `secrets`."""
    text = secret_files.read(path, "leases.http.token_file")
    if not _TOKEN.fullmatch(text):
        what = "not a token of 16 to 128 characters out of A-Z a-z 0-9 - and _"
        raise UserError(f"{path}: {what}; make one with `openssl rand -hex 16`")
    return text


def _shared(path: Path) -> bytes:
    text = secret_files.read(path, "leases.clients.secret_file")
    if not text:
        raise UserError(f"{path}: empty; write the secret that the access server has, such as `openssl rand -hex 16`")
    return text.encode()


@dataclass(frozen=True)
class Behind:
    """What stands behind the ports: `merge`, `sync`, `after` as `Intake` wants them, `known` as `files` does.

    `reread` gives the settings anew.
    """

    merge: Merge
    sync: Callable[[], None]
    after: Callable[[Merged], None]
    known: files.Known
    reread: Callable[[], LeaseServer]


def work(made: Sockets, settings: LeaseServer, behind: Behind, meters: Meters, parent: int) -> None:
    """Take reports until told to stop, or until the supervisor has gone (`parent` ends).

    A reload takes over the clients and the token that `reread` names; ports, files and the subscriber's attribute stay
    as they are. Raises UserError as `secrets`.
    """
    # with the usual 5 ms, what has just come would wait as long while the other thread computes
    sys.setswitchinterval(_SWITCH_SECONDS)
    # what there is by now stays: looking through it again and again holds everybody up, 200 ms each time
    gc.freeze()
    uvloop.run(_work(made, settings, behind, meters, parent))


async def _work(made: Sockets, settings: LeaseServer, behind: Behind, meters: Meters, parent: int) -> None:
    log = logs.start("leases")
    complaints = Complaints(log, time.monotonic)
    now = secrets(settings)
    clients = Clients(now.clients)
    intake = Intake(behind.merge, behind.sync, behind.after, meters, complaints, time.time)
    common = (intake, meters, complaints, SUBSCRIBER[settings.subscriber], time.time)
    reports = posted.Reports(now.token or "", *common)

    def take(found: Secrets) -> None:
        clients.replace(found.clients)
        reports.expect(found.token or "")

    stop = until_told(parent, Reload(lambda: secrets(behind.reread()), take, log))
    answers = Answers(time.monotonic)
    ports = [Accounting(each, clients, answers, *common) for each in made.radius]
    for port in ports:
        port.listen()
    posts = Posts(reports.admit, reports.take, reports.complain, time.monotonic, posted.OCTETS, posted.CONNECTIONS)
    servers = [await asyncio.start_server(posts.connected, sock=each, limit=posted.OCTETS) for each in made.http]
    alive = asyncio.create_task(_show(meters))
    following = [
        asyncio.create_task(files.follow(each, behind.known, intake, meters, complaints, time.time))
        for each in settings.files
    ]
    for task in (alive, *following):  # none of them ends by itself: the supervisor begins anew
        task.add_done_callback(lambda _: stop.set())
    await stop.wait()
    for task in following:
        task.cancel()
    for server in servers:
        server.close()
    for port in ports:
        port.close()
    await intake.close()
    alive.cancel()


async def _show(meters: Meters) -> None:
    while True:
        meters.alive_at = time.monotonic()
        await asyncio.sleep(1)
