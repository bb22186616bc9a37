"""Lines of a file that cannot be taken over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A line that cannot be taken over: what is wrong, and the mend. Never holds any of a password."""

    number: int
    text: str
