"""Saying that something is away: loudly at once, again each minute, and when it is back."""

from __future__ import annotations

from structlog.typing import FilteringBoundLogger

AGAIN_SECONDS = 60.0


class Outage:
    """Of one thing, `what`. Times are monotonic seconds."""

    def __init__(self, what: str, log: FilteringBoundLogger) -> None:
        self._what, self._log = what, log
        self._since: float | None = None
        self._said = 0.0

    @property
    def lasts(self) -> bool:
        return self._since is not None

    def failed(self, reason: str, now: float) -> None:
        """It was tried, and is away."""
        if self._since is None:
            self._since = now
        elif now - self._said < AGAIN_SECONDS:
            return
        self._said = now
        self._log.error(
            f"the {self._what} is away; the last confirmed ruleset stays in force",
            reason=reason,
            seconds=round(now - self._since),
        )

    def over(self, now: float) -> None:
        """It works."""
        if self._since is not None:
            self._log.warning(f"the {self._what} is back", seconds=round(now - self._since))
            self._since = None
