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

from op25b.policy.model import Policy
from op25b.portal.application import application
from op25b.portal.exemptions import Context
from op25b.portal.guard import Guard
from op25b.portal.limits import Http
from op25b.portal.numbers import Counted
from op25b.portal.tokens import Tokens
from op25b.processes import logs
from op25b.processes.board import Board, Meters
from op25b.processes.stopping import Reload, when_told
from op25b.store import Store
from op25b.subscribers.exemptions import checks

CONNECTIONS = 200
IDLE_SECONDS = 5
DRAIN_SECONDS = 10


def board() -> Board:
    """Its numbers, made before the process is."""
    return Board("op25b_api", Counted)


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
        context = Context(
            opened, policy, checks.resolver(), lambda: datetime.now(UTC), log, lambda: meters.add(Counted.CHANGES)
        )
        asyncio.run(_serve(listening, context, Tokens(tokens_file), reread, meters, parent))
    finally:
        opened.close()


async def _serve(
    listening: socket, context: Context, tokens: Tokens, reread: Callable[[], Policy], meters: Meters, parent: int
) -> None:
    guard = Guard(tokens, context.log, lambda: meters.add(Counted.STRANGERS))
    server = _Server(configuration(application(context, guard)), meters)

    def take(policy: Policy) -> None:
        context.policy = policy

    def end() -> None:
        server.should_exit = True

    when_told(parent, end, Reload(reread, take, context.log))
    await server.serve([listening])


def configuration(app: ASGIApp) -> uvicorn.Config:
    """Nothing of the client's is believed (no X-Forwarded-For), nothing but our own lines is logged."""
    return uvicorn.Config(
        app, http=Http, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False,
        server_header=False, limit_concurrency=CONNECTIONS, timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS, h11_max_incomplete_event_size=16 * 1024,
    )  # fmt: skip


class _Server(uvicorn.Server):
    """Signals are the job's own matter; at each turn it shows that it works."""

    def __init__(self, config: uvicorn.Config, meters: Meters) -> None:
        super().__init__(config)
        self._meters = meters

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        self._meters.alive_at = int(time.monotonic())
        return await super().on_tick(counter)
