"""The process that serves the interface. It holds no privilege and knows no filter: it reads and writes the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from socket import socket

import uvicorn
from starlette.types import ASGIApp

from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.portal.application import application
from op25b.portal.exemptions import Context
from op25b.portal.guard import Guard
from op25b.portal.limits import Http
from op25b.portal.tokens import Tokens
from op25b.processes import logs, ticking
from op25b.processes.board import Board, Meters, Metric
from op25b.processes.health import Shown
from op25b.processes.stopping import Reload, when_told
from op25b.store import Store
from op25b.subscribers.exemptions import checks, desk

CONNECTIONS = 200
IDLE_SECONDS = 5
DRAIN_SECONDS = 10
SWEEP_SECONDS = 60.0


class Api(Metric):
    """What the interface counts."""

    EXPIRING = "counter", "Exemptions that have to be renewed by now."
    ENDED = "counter", "Exemptions that have ended by time."


def board() -> Board:
    """Its numbers, made before the process is."""
    return Board("op25b_exemptions", Api)


def shown(board: Board) -> Shown:
    """What /healthz and /metrics say of it."""
    return Shown(board.families, lambda now: {"api": board.state(0, now)})


def work(
    listening: socket,
    tokens_file: Path,
    store: str,
    policy: Policy,
    reread: Callable[[], Policy],
    meters: Meters,
    parent: int,
) -> None:
    """Serve until SIGTERM, or until the supervisor has gone (`parent` ends). Raises UserError for a bad tokens file.

    `store`: its URL; `reread`: the policy as it is in its file now, asked for at SIGHUP.
    """
    log = logs.start("api")
    opened = Store(store)
    try:
        context = Context(opened, policy, checks.resolver(), lambda: datetime.now(UTC), log)
        asyncio.run(_serve(listening, context, Tokens(tokens_file), reread, meters, parent))
    finally:
        opened.close()


async def _serve(
    listening: socket, context: Context, tokens: Tokens, reread: Callable[[], Policy], meters: Meters, parent: int
) -> None:
    server = _Server(configuration(application(context, Guard(tokens, context.log))))

    def take(policy: Policy) -> None:
        context.policy = policy

    def end() -> None:
        server.should_exit = True

    when_told(parent, end, Reload(reread, take, context.log))
    sweeps = _Sweeps(context, meters)
    sweeps.alive(time.monotonic())
    ticks = asyncio.create_task(ticking.tick(sweeps.alive, sweeps.sweep, SWEEP_SECONDS))
    await server.serve([listening])
    ticks.cancel()


def configuration(app: ASGIApp) -> uvicorn.Config:
    """Nothing of the client's is believed (no X-Forwarded-For), nothing but our own lines is logged."""
    return uvicorn.Config(
        app, http=Http, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False,
        server_header=False, limit_concurrency=CONNECTIONS, timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS, h11_max_incomplete_event_size=16 * 1024,
    )  # fmt: skip


class _Sweeps:
    """Writes down what time has done to exemptions; any number of hosts may do so at once."""

    def __init__(self, context: Context, meters: Meters) -> None:
        self._context, self._meters = context, meters

    def alive(self, now: float) -> None:
        self._meters.alive_at = int(now)

    async def sweep(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._sweep)

    def _sweep(self) -> None:
        try:
            done = desk.sweep(self._context.store, self._context.clock())
        except UserError as error:
            self._context.log.warning("exemptions were not swept", reason=str(error))
            return
        self._meters.add(Api.EXPIRING, done.expiring)
        self._meters.add(Api.ENDED, done.ended)


class _Server(uvicorn.Server):
    """Signals are the job's own matter."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
