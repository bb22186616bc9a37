"""A fault of a policy file: where it is, what is wrong, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Fault:
    """One fault. `line` and `column` count from 1, columns in characters. Order is the order in the file."""

    line: int
    column: int
    what: str
    mend: str
    severity: Severity = "error"

    def __str__(self) -> str:
        kind = "warning: " if self.severity == "warning" else ""
        return f"{self.line}:{self.column}: {kind}{self.what}; {self.mend}"

    def format(self, path: str) -> str:
        """`path:line:column: what is wrong; what to write instead`, with `warning: ` before a warning's words."""
        return f"{path}:{self}"


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that `word` was probably meant to be."""
    found = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return found[0] if found else None
