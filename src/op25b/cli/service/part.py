"""What a part adds to the service."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import socket

from structlog.typing import FilteringBoundLogger

from op25b.cli.service.config import Config
from op25b.policy.model import Policy
from op25b.processes.board import Board
from op25b.processes.health import Shown
from op25b.processes.privilege import Capability
from op25b.processes.supervisor import Job
from op25b.store import Store
from op25b.store.schema import require_current


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Part:
    """The processes of one part, with what they show.

    `check`: raises UserError for what its processes would fail over, at the start and at each reload; it is done with
    their privileges. `warn`: logs what is not wrong enough not to serve. `stopping`: nothing listens any more, and
    `stopped`: all processes have ended.
    """

    jobs: list[Job]
    shown: list[Shown]
    check: Callable[[Config, Policy], None] = _nothing
    warn: Callable[[Config, Policy, FilteringBoundLogger], None] = _nothing
    stopping: Callable[[], None] = _nothing
    stopped: Callable[[], None] = _nothing
    drain_seconds: float = 0.0


def job(
    name: str,
    run: Callable[[int], None],
    board: Board,
    sockets: Sequence[socket] = (),
    keeps: Sequence[Capability] = (),
    outlives: bool = False,
) -> Job:
    """A process that has a board of its own, by which it is known to work."""
    return Job(
        name,
        run,
        sockets,
        keeps,
        outlives,
        ready=board.is_ready,
        stuck=lambda: board.is_stuck(time.monotonic()),
        buried=board.forget,
    )


def shown(name: str, board: Board) -> Shown:
    """Such a board, for /metrics and /healthz."""
    return Shown(board.families, lambda now: {name: board.state(0, now)})


def store_is_current(config: Config, _: Policy) -> None:
    """Raises UserError if the store cannot be used."""
    store = Store(config.store)
    try:
        require_current(store)
    finally:
        store.close()
