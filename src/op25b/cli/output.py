"""Standard output: JSON, and tables that are plain columns in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 10_000
"""Columns of a table that nobody looks at: nothing is wrapped or cut off."""


def text(line: str) -> None:
    """One line, or several, of plain text. Flushed, so that a closed pipe is noticed here and not at exit."""
    print(line, flush=True)


def note(line: str) -> None:
    """A remark on standard error, beside the data."""
    print(line, file=sys.stderr)


def data(value: object) -> None:
    """A value as JSON."""
    text(json.dumps(value, ensure_ascii=False, indent=2))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows in columns, under a header."""
    terminal = sys.stdout.isatty()
    # no colour and no boxes: what is read on a terminal can be pasted and searched
    console = Console(no_color=True, highlight=False, width=None if terminal else _PIPE_WIDTH)
    grid = Table(*header, box=None, pad_edge=False, header_style="bold" if terminal else "")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    with console.capture() as written:
        console.print(grid)
    text("\n".join(line.rstrip() for line in written.get().splitlines()))
