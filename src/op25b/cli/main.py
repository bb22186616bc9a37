"""The command `op25b`: every command is registered here, and every way of ending badly gets its exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.core
import typer.main

import op25b
from op25b.cli import check, enforce, explain, show
from op25b.errors import Missing, UserError

LATER = {
    "account": "op25b.cli.account",
    "api": "op25b.cli.api",
    "bulletin": "op25b.cli.bulletin",
    "credentials": "op25b.cli.credentials",
    "doctor": "op25b.cli.doctor",
    "exempt": "op25b.cli.exempt",
    "integrate": "op25b.cli.integrate",
    "lab": "op25b.cli.lab",
    "lease": "op25b.cli.lease",
    "notify": "op25b.cli.notify",
    "queue": "op25b.cli.queue",
    "rollout": "op25b.cli.rollout",
    "serve": "op25b.cli.serve",
    "setup": "op25b.cli.setup",
    "staff": "op25b.cli.staff",
    "watch": "op25b.cli.watch",
    "who": "op25b.cli.who",
}


class Commands(typer.core.TyperGroup):
    """Commands; those that bring a database or a server with them are imported when they are asked for."""

    # typer keeps the types of click to itself
    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *LATER]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in LATER:
            return super().get_command(ctx, cmd_name)
        found = typer.main.get_command(import_module(LATER[cmd_name]).app)
        found.name = cmd_name
        return found


app = typer.Typer(
    name="op25b",
    cls=Commands,
    help="Outbound Port 25 Blocking as one system, from one reviewed policy file.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # plain text, so that help and usage errors read the same on a terminal and in a log
    rich_markup_mode=None,
)

app.command("check")(check.check)
app.command("pools")(show.pools)
app.command("servers")(show.servers)
app.command("explain")(explain.explain)
app.command("compile")(show.compile_)
app.command("plan")(enforce.plan)
app.command("apply")(enforce.apply)
app.command("confirm")(enforce.confirm)
app.command("rollback")(enforce.rollback)
app.command("status")(enforce.status)
app.command("verify")(enforce.verify)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"op25b {op25b.__version__}")
        raise typer.Exit


@app.callback()
def op25b_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; nothing that concerns a user leaves as an exception."""
    try:
        app(arguments, prog_name="op25b")
    except (UserError, Missing) as error:
        return _fail(str(error), error.exit_status)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", UserError.exit_status)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _fail(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


def main() -> None:
    """The console entry."""
    for stream in (sys.stdout, sys.stderr):
        # a terminal that cannot show Japanese gets escapes, not a traceback
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:]))
