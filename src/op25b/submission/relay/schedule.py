"""When to try again (RFC 5321 4.5.4.1). Pure: instants and the jitter's random number are passed in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """Seconds throughout.

    A message waits about as long as it has been waiting already, at least `first` and at most `longest`: the
    intervals double, and need no counter that a restart could lose. Each is stretched or shortened by up to `jitter`
    (a fraction), so that what failed together does not come back together. `give_up` is at least four days.
    """

    first: float = 300.0
    longest: float = 3 * 3600.0
    jitter: float = 0.2
    warn: float = 4 * 3600.0
    give_up: float = 5 * 86400.0

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.longest or not 0 <= self.jitter < 1:
            raise ValueError("a retry schedule needs 0 < first <= longest and 0 <= jitter < 1")
        if self.give_up < 4 * 86400:
            raise ValueError("mail may not be given up within four days (RFC 5321 4.5.4.1)")

    def delay(self, age: float, chance: float) -> float:
        """Seconds until the next attempt of a message that is `age` seconds old; `chance` in [0, 1)."""
        return min(max(age, self.first), self.longest) * (1 + self.jitter * (2 * chance - 1))

    def expired(self, age: float) -> bool:
        return age >= self.give_up

    def late(self, age: float) -> bool:
        """Whether the sender should hear that the message is late."""
        return age >= self.warn
