"""Saying that something is away: loudly at once, again each minute, and when it is back."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from structlog.typing import FilteringBoundLogger

AGAIN_SECONDS = 60.0


class Outage:
    """Of one thing, `what`. `show` is told whenever it goes (1) or comes back (0); `now`: monotonic seconds."""

    def __init__(
        self,
        what: str,
        log: FilteringBoundLogger,
        show: Callable[[int], object],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._what, self._log, self._show, self._now = what, log, show, now
        self._since: float | None = None
        self._said = 0.0

    def failed(self, reason: Exception) -> None:
        """It was tried, and is away."""
        now = self._now()
        if self._since is None:
            self._since = now
            self._show(1)
        elif now - self._said < AGAIN_SECONDS:
            return
        self._said = now
        self._log.error(
            f"the {self._what} is away; the last confirmed ruleset stays in force",
            reason=str(reason),
            seconds=round(now - self._since),
        )

    def over(self) -> None:
        """It works."""
        if self._since is not None:
            self._log.warning(f"the {self._what} is back", seconds=round(self._now() - self._since))
            self._since = None
            self._show(0)
