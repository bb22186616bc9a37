"""The process that serves the interface. It holds no privilege and knows no filter: it has the store and the spool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from socket import socket

from starlette.types import ASGIApp

from op25b.policy.model import Policy
from op25b.portal.api.application import application
from op25b.portal.api.guard import Guard
from op25b.portal.api.numbers import Counted
from op25b.portal.api.tokens import Tokens
from op25b.portal.desk.context import Context
from op25b.portal.web.serving import serve
from op25b.processes import logs
from op25b.processes.board import Board, Meters
from op25b.store import Store
from op25b.subscribers.exemptions import checks


def board() -> Board:
    """Its numbers, made before the process is."""
    return Board("op25b_api", Counted)


def work(
    listening: socket,
    tokens_file: Path,
    store: str,
    spool: Path | None,
    policy: Policy,
    reread: Callable[[], Policy],
    meters: Meters,
    parent: int,
) -> None:
    """Serve until SIGTERM, or until the supervisor has gone (`parent` ends). Raises UserError for a bad tokens file.

    `store`: its URL; `spool`: None where this host has none; `reread`: the policy as it is in its file now, asked for
    at SIGHUP.
    """
    log = logs.start("api")
    opened = Store(store)
    try:
        context = Context(
            opened,
            policy,
            checks.resolver(),
            lambda: datetime.now(UTC),
            log,
            lambda: meters.add(Counted.CHANGES),
            spool,
        )
        guard = Guard(Tokens(tokens_file), log, lambda: meters.add(Counted.STRANGERS))

        def anew() -> ASGIApp:
            return application(replace(context, policy=reread()), guard)

        asyncio.run(serve([listening], application(context, guard), anew, meters, parent, log))
    finally:
        opened.close()
