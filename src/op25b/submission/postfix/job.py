"""The process that answers Postfix: log-ins and policy, each on its socket."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import uvloop

from op25b.policy.model import Policy
from op25b.processes import logs
from op25b.processes.stopping import Reload, until_told
from op25b.processes.ticking import tick
from op25b.store import Store
from op25b.submission.config import Config
from op25b.submission.driver.limits import Limits
from op25b.submission.driver.metrics import Metric
from op25b.submission.driver.rights import Relaying
from op25b.submission.driver.server import Shared, open_logins, refresh
from op25b.submission.driver.service import offered, who_relays
from op25b.submission.postfix.auth_server import AuthServer
from op25b.submission.postfix.auth_session import possible
from op25b.submission.postfix.policy import Decisions
from op25b.submission.postfix.policy_server import PolicyServer

REFRESH_SECONDS = 300


def work(
    number: int,
    sockets: Mapping[str, socket.socket],
    config: Config,
    policy: Policy,
    shared: Shared,
    parent: int,
) -> None:
    """Runs until it is told to stop by SIGTERM, or the supervisor has gone (`parent` ends).

    `number`: its place in the ledger and on the board; `sockets`: `auth`, `policy` or both, listening.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Job(number, config, policy, shared).run(sockets, parent))


class _Job:
    def __init__(self, number: int, config: Config, policy: Policy, shared: Shared) -> None:
        self._config, self._shared = config, shared
        self._zone = ZoneInfo(policy.provider.time_zone)
        self._meters = shared.board.of(number)
        self._view = shared.ledger.view(number)
        self._log = logs.start("postfix")
        limits, relaying = self._rules(config, policy)
        self._store = Store(config.store)
        self._logins, self._waiting = open_logins(self._store, config, policy, shared, self._wall)
        self._auth = AuthServer(self._waiting, self._meters, self._log)
        self._offer(config)
        self._decisions = Decisions(limits, self._meters, self._log)
        self._policy = PolicyServer(self._decisions, relaying, self._waiting, self._log, self._wall)

    async def run(self, sockets: Mapping[str, socket.socket], parent: int) -> None:
        stop = until_told(parent, Reload(self._reread, self._reload, self._log))
        servers = [await self._serve(name, made) for name, made in sockets.items()]
        ticking = asyncio.create_task(tick(self._alive, self._refresh, REFRESH_SECONDS))
        self._meters.add(Metric.WORKER_STARTS)
        self._meters.alive_at = time.monotonic()
        await stop.wait()
        for server in servers:
            server.close()
        ticking.cancel()
        self._auth.close()
        self._policy.close()
        await self._waiting.close()
        self._store.close()

    async def _serve(self, name: str, made: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        unix = made.family == socket.AF_UNIX
        server: asyncio.Server
        if name == "auth":
            server = await (loop.create_unix_server if unix else loop.create_server)(self._auth.connection, sock=made)
        else:
            server = await (asyncio.start_unix_server if unix else asyncio.start_server)(self._policy.serve, sock=made)
        return server

    def _reread(self) -> tuple[Config, Limits, Relaying]:
        config, policy = self._shared.reread()
        return config, *self._rules(config, policy)

    def _reload(self, found: tuple[Config, Limits, Relaying]) -> None:
        config, limits, self._policy.relaying = found
        self._decisions.reload(limits)
        self._offer(config)

    def _offer(self, config: Config) -> None:
        self._auth.offer(possible(offered(config)), config.submission.auth_without_tls)

    def _rules(self, config: Config, policy: Policy) -> tuple[Limits, Relaying]:
        limits = Limits(config.submission.limits, self._view, time.monotonic)
        return limits, who_relays(config, policy, self._shared.recent_pop)

    def _alive(self, now: float) -> None:
        self._meters.alive_at = now

    async def _refresh(self) -> None:
        await refresh(self._logins, self._log)

    def _wall(self) -> datetime:
        return datetime.now(self._zone)
