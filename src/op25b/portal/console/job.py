"""The process that serves the console. It holds no privilege: of the filter it knows what hosts have reported."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from socket import socket

from starlette.types import ASGIApp

from op25b.policy.model import Policy
from op25b.portal.console.application import application
from op25b.portal.console.config import Console
from op25b.portal.console.context import Context
from op25b.portal.console.numbers import Counted
from op25b.portal.desk.context import Context as Desks
from op25b.portal.staff import codes
from op25b.portal.staff.login import LIMITS, Logins
from op25b.portal.staff.openid import Provider
from op25b.portal.web.serving import serve
from op25b.processes import logs, secret_files
from op25b.processes.board import Board, Meters
from op25b.store import Store
from op25b.subscribers.exemptions import checks
from op25b.subscribers.lockout import Lockout
from op25b.subscribers.passwords import Hasher


def board() -> Board:
    """Its numbers, made before the process is."""
    return Board("op25b_console", Counted)


@dataclass(frozen=True)
class Lasting:
    """What outlives a process that dies: who failed to log in, and what the tokens of forms are made with."""

    lockout: Lockout
    form_key: bytes

    @classmethod
    def made(cls) -> Lasting:
        return cls(Lockout(LIMITS), os.urandom(32))


def check(settings: Console) -> None:
    """Raises UserError for a key or a secret that cannot be read."""
    codes.read_key(settings.key_file)
    if settings.openid is not None:
        secret_files.read(settings.openid.client_secret_file, "console.openid.client_secret_file")


def work(
    listening: socket,
    settings: Console,
    store: str,
    policy: Policy,
    spool: Path | None,
    reread: Callable[[], Policy],
    lasting: Lasting,
    meters: Meters,
    parent: int,
) -> None:
    """Serve until SIGTERM, or until the supervisor has gone (`parent` ends). Raises UserError for a bad key file.

    `store`: its URL; `reread`: the policy as it is in its file now, asked for at SIGHUP.
    """
    log = logs.start("console")
    opened = Store(store)

    def clock() -> datetime:
        return datetime.now(UTC)

    try:
        key = codes.read_key(settings.key_file)
        desks = Desks(opened, policy, checks.resolver(), clock, log, lambda: meters.add(Counted.CHANGES), spool)
        hasher = Hasher(os.urandom, scram_iterations=None)
        logins = Logins(opened, key, hasher, lasting.lockout, time.monotonic, clock, os.urandom)
        openid = None
        if settings.openid is not None:
            secret = secret_files.read(settings.openid.client_secret_file, "console.openid.client_secret_file")
            back = f"{settings.url.rstrip('/')}/openid/back"
            openid = Provider(settings.openid, secret, back, key, os.urandom, clock)
        context = Context(
            desks, settings, logins, openid, lasting.form_key, os.urandom, lambda metric: meters.add(metric)
        )

        def anew() -> ASGIApp:
            return application(replace(context, desks=replace(context.desks, policy=reread())))

        asyncio.run(serve([listening], application(context), anew, meters, parent, context.desks.log))
    finally:
        opened.close()
