"""What a part adds to the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from op25b.cli.service.config import Config
from op25b.policy.model import Policy
from op25b.processes.health import Shown
from op25b.processes.supervisor import Job


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Part:
    """The processes of one part, with what they show.

    `check`: raises UserError for what its processes would fail over, at the start and at each reload; it is done with
    their privileges. `warn`: logs what is not wrong enough not to serve. `stopping`: nothing listens any more.
    """

    jobs: list[Job]
    shown: list[Shown]
    check: Callable[[Config, Policy], None] = _nothing
    warn: Callable[[Config, Policy, FilteringBoundLogger], None] = _nothing
    stopping: Callable[[], None] = _nothing
    drain_seconds: float = 0.0
