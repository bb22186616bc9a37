"""One worker: its event loop, its listeners, its clock."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import uvloop
from structlog.typing import FilteringBoundLogger

from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.processes import logs
from op25b.processes.board import Board
from op25b.processes.stopping import Reload, until_told
from op25b.processes.ticking import tick
from op25b.store import Store
from op25b.submission.config import Config, Listen
from op25b.submission.driver import relaying
from op25b.submission.driver.connection import Connection
from op25b.submission.driver.ledger import Ledger
from op25b.submission.driver.mailboxes import ByAccounts, ByCall, Mailboxes
from op25b.submission.driver.metrics import Metric
from op25b.submission.driver.rights import RecentPop
from op25b.submission.driver.service import Service, Terms, Wall
from op25b.submission.relay.connect import contexts
from op25b.submission.spool import Spool
from op25b.subscribers.addressees import Addressees
from op25b.subscribers.async_login import DOVECOT_FAILURE_SECONDS, AsyncLogins, Settings
from op25b.subscribers.dovecot_accounts import DovecotAccounts
from op25b.subscribers.dovecot_auth import DovecotAuth
from op25b.subscribers.lockout import Lockout
from op25b.subscribers.login import Logins
from op25b.subscribers.login_cache import LoginCache
from op25b.subscribers.passwords import Hasher

ROTATE_SECONDS = 300

Reread = Callable[[], tuple[Config, Policy]]
"""The configuration as it is in the files now. Raises UserError."""


@dataclass(frozen=True)
class Shared:
    """What the supervisor makes for all workers before it forks."""

    ledger: Ledger
    board: Board
    lockout: Lockout
    cache: LoginCache
    reread: Reread
    recent_pop: RecentPop


def work(
    number: int,
    listeners: Sequence[tuple[Listen, socket.socket]],
    config: Config,
    policy: Policy,
    shared: Shared,
    parent: int,
) -> None:
    """Runs one worker until it is told to stop by SIGTERM, or the supervisor has gone (`parent` ends)."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Worker(number, listeners, config, policy, shared, parent).run())


def open_logins(store: Store, config: Config, policy: Policy, shared: Shared, wall: Wall) -> tuple[Logins, AsyncLogins]:
    """Log-ins over a store, for one process."""
    logins = Logins(store, Hasher(os.urandom), shared.lockout, shared.cache, time.monotonic, wall)
    # no more hash than there are processors: each takes 19 MiB
    settings = Settings(hashing_threads=max(1, (os.cpu_count() or 1) // shared.board.rows))
    if (path := config.accounts.dovecot) is None:
        return logins, AsyncLogins(logins, settings, time.monotonic)
    domains = [domain for brand in policy.provider.brands for domain in brand.domains]
    dovecot = DovecotAccounts(DovecotAuth(str(path), os.urandom), domains)
    settings = replace(settings, failure_seconds=DOVECOT_FAILURE_SECONDS)
    return logins, AsyncLogins(logins, settings, time.monotonic, dovecot=dovecot)


async def refresh(logins: Logins, log: FilteringBoundLogger) -> None:
    """What is kept of accounts must not grow old."""
    try:
        await asyncio.get_running_loop().run_in_executor(None, logins.refresh)
    except UserError as error:
        log.warning("the accounts could not be looked at", reason=str(error))


class _Worker:
    def __init__(
        self,
        number: int,
        listeners: Sequence[tuple[Listen, socket.socket]],
        config: Config,
        policy: Policy,
        shared: Shared,
        parent: int,
    ) -> None:
        self._number, self._listeners, self._config, self._shared, self._parent = (
            number, listeners, config, shared, parent,
        )  # fmt: skip
        self._policy = policy
        self._zone = ZoneInfo(policy.provider.time_zone)
        self._terms = Terms.of(config, policy, shared.recent_pop, self._wall)
        self._meters = shared.board.of(number)
        self._log = logs.start(f"submission-{number}")

    async def run(self) -> None:
        store = Store(self._config.store)
        logins, waiting = open_logins(store, self._config, self._policy, self._shared, self._wall)
        spool = Spool.open(self._config.submission.spool, f"submission-{self._number}", clock=self._wall)
        shared = self._shared
        view = shared.ledger.view(self._number)
        self._service = service = Service(
            self._terms,
            view,
            shared.board,
            self._meters,
            spool,
            waiting,
            self._mailboxes(store),
            self._log,
            time.monotonic,
            self._wall,
        )
        stop = until_told(self._parent, Reload(self._reread, service.reload, self._log))
        servers = [await self._serve(service, listen, made) for listen, made in self._listeners]
        gc.freeze()
        ticking = asyncio.create_task(tick(self._look, partial(self._now_and_then, logins), ROTATE_SECONDS))
        self._meters.add(Metric.WORKER_STARTS)
        self._meters.alive_at = service.now()
        await stop.wait()
        for server in servers:
            server.close()
        await self._drain(service)
        ticking.cancel()
        await spool.close()
        await waiting.close()
        store.close()

    def _mailboxes(self, store: Store) -> Mailboxes:
        config = self._config
        if config.submission.local_recipients == "accounts":
            return ByAccounts(Addressees(store))
        settings = relaying.read_settings(config.relay, config.submission)
        return ByCall(settings.routes, settings.name, relaying.resolver(), contexts(), time.monotonic)

    async def _serve(self, service: Service, listen: Listen, made: socket.socket) -> asyncio.Server:
        server: asyncio.Server = await asyncio.get_running_loop().create_server(
            lambda: Connection(service, listen), sock=made
        )
        return server

    def _reread(self) -> Terms:
        return Terms.of(*self._shared.reread(), self._shared.recent_pop, self._wall)

    def _look(self, now: float) -> None:
        """Who is idle or too slow?"""
        self._meters.alive_at = now
        for connection in list(self._service.connections):
            connection.check(now)

    async def _now_and_then(self, logins: Logins) -> None:
        """What must not grow old."""
        await self._service.spool.rotate()
        await refresh(logins, self._log)

    async def _drain(self, service: Service) -> None:
        """Messages under way come to their end, within bounds."""
        service.stopping = True
        deadline = service.now() + self._config.submission.drain_seconds
        while service.connections and service.now() < deadline:
            for connection in list(service.connections):
                connection.drain()
            await asyncio.sleep(0.05)

    def _wall(self) -> datetime:
        return datetime.now(self._zone)
