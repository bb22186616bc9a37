"""api: who may use the HTTP interface."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from op25b.cli import output
from op25b.cli.options import Json
from op25b.portal.api import tokens
from op25b.portal.staff.roles import Role

app = typer.Typer(
    add_completion=False, help="The HTTP interface to exemptions.", no_args_is_help=True, rich_markup_mode=None
)
token = typer.Typer(add_completion=False, help="Who may use it.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(token, name="token")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is: the name in the audit trail.")]
File = Annotated[
    Path,
    typer.Option("--file", envvar="OP25B_API_TOKENS", metavar="FILE", help="The `tokens_file` of the configuration."),
]
FILE = Path("/etc/op25b/api-tokens")


@token.command()
def add(
    name: Name,
    role: Annotated[
        list[Role],
        typer.Option(
            "--role",
            help="Repeatable. For exemptions alone: read, desk (asks and reviews too), approver (decides too); "
            "the others allow what they allow on the console.",
        ),
    ],
    file: File = FILE,
) -> None:
    """Make a token and print it, this once. The file holds its hash; who runs the interface need not be told."""
    output.text(tokens.add(file, name, role, os.urandom))


@token.command("list")
def list_(json: Json = False, file: File = FILE) -> None:
    """Show who has a token, and for what."""
    holders = sorted((holder.name, sorted(holder.roles)) for holder in tokens.read(file).values())
    if json:
        output.data([{"name": name, "roles": roles} for name, roles in holders])
    else:
        output.table(("name", "roles"), [(name, ", ".join(roles)) for name, roles in holders])


@token.command()
def remove(name: Name, file: File = FILE) -> None:
    """End a token, from the next request on."""
    tokens.remove(file, name)
    output.text(f"{name} has no token any more")
