"""Options that several commands have. Light: a database is imported where one is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

STORE = "sqlite:////var/lib/op25b/op25b.db"

PolicyPath = Annotated[Path, typer.Argument(metavar="POLICY", help="The policy file.")]
PolicyFile = Annotated[Path, typer.Option("--policy", envvar="OP25B_POLICY", metavar="POLICY", help="The policy file.")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="ISO 8601 with an offset; now if left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[
    str, typer.Option("--store", envvar="OP25B_STORE", metavar="URL", help="sqlite:////path or postgresql://...")
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="OP25B_STORE",
        metavar="URL",
        help="Count in this store's leases and exemptions: sqlite:////path or postgresql://...",
    ),
]
"""For commands that can do without one."""
Who = Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who asks for it; the user at work if left out.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the audit trail.")]
NeededWhy = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; the audit trail keeps it.")]
