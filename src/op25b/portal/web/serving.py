"""An ASGI application on some sockets, as a process of the service runs it, until it is told to stop."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from socket import socket

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from op25b.portal.web.limits import Http
from op25b.processes.board import Meters
from op25b.processes.stopping import Reload, when_told

CONNECTIONS = 200
IDLE_SECONDS = 5
DRAIN_SECONDS = 10


class Latest:
    """The application of the policy that is in force; another takes its place between two requests."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


async def serve(
    listening: Sequence[socket],
    app: ASGIApp,
    anew: Callable[[], ASGIApp],
    meters: Meters,
    parent: int,
    log: FilteringBoundLogger,
) -> None:
    """Serve until SIGTERM, or until the supervisor has gone (`parent` ends).

    `anew`: the application as the policy is in its file now, asked for at SIGHUP.
    """
    latest = Latest(app)
    server = _Server(configuration(latest), meters)

    def end() -> None:
        server.should_exit = True

    def take(made: ASGIApp) -> None:
        latest.app = made
        settle()

    when_told(parent, end, Reload(anew, take, log))
    settle()
    await server.serve([*listening])


def settle() -> None:
    """What there is by now stays: to look for garbage in it now and again holds every visitor up for 100 ms."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


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
