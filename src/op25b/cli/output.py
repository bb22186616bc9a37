"""Standard output: JSON, and tables that are plain columns in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text


def text(line: str) -> None:
    """One line, or several, of plain text. Flushed, so that a closed pipe is noticed here and not at exit."""
    print(line, flush=True)


def note(line: str) -> None:
    """A remark on standard error, beside the data."""
    print(line, file=sys.stderr)


def data(value: object) -> None:
    """A value as JSON."""
    text(json.dumps(value, ensure_ascii=False, indent=2))


def line(value: object) -> None:
    """A value as JSON on a line of its own, where more may follow."""
    text(json.dumps(value, ensure_ascii=False))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows in columns, under a header."""
    if not sys.stdout.isatty():
        _columns([header, *rows])
        return
    # no colour and no boxes: what is read on a terminal can be pasted and searched
    console = Console(no_color=True, highlight=False)
    grid = Table(*header, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    with console.capture() as written:
        console.print(grid)
    text("\n".join(line.rstrip() for line in written.get().splitlines()))


def _columns(rows: Sequence[Sequence[str]]) -> None:
    """For a pipe: nothing is wrapped or cut off. A hundred thousand rows take Rich a minute."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    sys.stdout.flush()
