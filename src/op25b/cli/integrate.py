"""integrate: what programs that a provider keeps must be told, so that op25b works with them."""

from __future__ import annotations

import typer

from op25b.cli.integrate_dovecot import dovecot

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def integrate() -> None:
    """Configuration for programs that op25b works with; it is printed, and nothing is changed."""


app.command()(dovecot)
