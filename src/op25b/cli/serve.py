"""`op25b serve`: everything that stays up, under one supervisor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from op25b.submission.driver.start import relay_alone
from op25b.submission.driver.start import serve as serve_all

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def serve(
    config: Annotated[Path, typer.Argument(help="The service's configuration (examples/service.toml).")],
    only: Annotated[
        Literal["submission", "relay", "postfix"] | None, typer.Option("--only", help="Run one part alone.")
    ] = None,
) -> None:
    """Run the service until it is stopped: SIGTERM stops it, SIGHUP reloads configuration and certificates."""
    if only == "relay":
        raise typer.Exit(relay_alone(config))
    raise typer.Exit(serve_all(config, only))
