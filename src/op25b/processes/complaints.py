"""Log lines that strangers can cause: one a minute of each kind, with how many it stands for."""

from __future__ import annotations

from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

QUIET_SECONDS = 60.0


class Complaints:
    """`now`: monotonic seconds."""

    def __init__(self, log: FilteringBoundLogger, now: Callable[[], float]) -> None:
        self._log, self._now = log, now
        self._quiet: dict[str, tuple[float, int]] = {}

    def about(self, kind: str, what: str, **details: object) -> None:
        """Say it, unless something of the kind was said less than a minute ago. `kind` is one of a few."""
        until, left_out = self._quiet.get(kind, (0.0, 0))
        if self._now() < until:
            self._quiet[kind] = (until, left_out + 1)
            return
        self._quiet[kind] = (self._now() + QUIET_SECONDS, 0)
        self._log.warning(what, **details, **({"left_out": left_out} if left_out else {}))
