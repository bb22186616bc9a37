"""The option `--store` of commands that can do without one. Light: a database is imported where one is named."""

from __future__ import annotations

from typing import Annotated

import typer

StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="OP25B_STORE",
        metavar="URL",
        help="Count in this store's leases and exemptions: sqlite:////path or postgresql://...",
    ),
]
