"""The process that serves the customers' pages. It holds no privilege, and knows neither the filter nor the spool."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from socket import socket

from starlette.types import ASGIApp
from structlog.typing import FilteringBoundLogger

from op25b.policy.model import Policy
from op25b.portal.public.application import application
from op25b.portal.public.config import Portal
from op25b.portal.public.context import Context
from op25b.portal.public.numbers import Counted
from op25b.portal.public.reach import Reach
from op25b.portal.public.selfservice.kept import kept
from op25b.portal.web.serving import serve
from op25b.processes import confinement, logs
from op25b.processes.board import Board, Meters
from op25b.store import Store
from op25b.store.schema import require_current
from op25b.subscribers.exemptions.checks import resolver


def board() -> Board:
    """Its numbers, made before the process is."""
    return Board("op25b_portal", Counted)


def work(
    listening: Sequence[socket],
    settings: Portal,
    store: str,
    policy: Policy,
    reread: Callable[[], Policy],
    key: bytes,
    spool: Path,
    meters: Meters,
    parent: int,
) -> None:
    """Serve until SIGTERM, or until the supervisor has gone (`parent` ends).

    `store`: its URL; `reread`: the policy as it is in its file now, asked for at SIGHUP; `key`: see `Context.key`;
    `spool`: where mail lies on this host, to which these pages have no way.
    """
    log = logs.start("portal")
    opened = Store(store)
    try:
        _confine(spool, opened, log)
        context = Context(
            policy, settings, opened, lambda: datetime.now(UTC), os.urandom, key, log, meters.add,
            Reach(resolver(), time.monotonic), kept(opened, settings.pop, os.urandom),
        )  # fmt: skip

        def anew() -> ASGIApp:
            return application(replace(context, policy=reread()))

        asyncio.run(serve(listening, application(context), anew, meters, parent, log))
        context.selfservice.passwords.close()
    finally:
        opened.close()


def _confine(spool: Path, store: Store, log: FilteringBoundLogger) -> None:
    """No way to the spool, nor to a socket of another process here, the enforcer's among them."""
    # SQLite's files are there from now on until this process ends: beside a spool none can be opened that is new
    require_current(store)
    folders = confinement.keep_from([spool])
    sockets = not store.by_socket and confinement.keep_from_sockets_of_this_host()
    log.info("confined", from_spool=folders, from_sockets_of_this_host=sockets)
