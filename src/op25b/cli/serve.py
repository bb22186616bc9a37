"""`op25b serve`: everything that stays up, under one supervisor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from op25b.cli.service import start

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def serve(
    config: Annotated[Path, typer.Argument(help="The service's configuration (examples/service.toml).")],
    only: Annotated[start.Only | None, typer.Option("--only", help="Run one part alone.")] = None,
) -> None:
    """Run the service until it is stopped: SIGTERM stops it, SIGHUP reloads configuration and certificates."""
    raise typer.Exit(start.serve(config, only))
