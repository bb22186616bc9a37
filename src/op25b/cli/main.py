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
from op25b.errors import Missing, UserError

SINGLE = {
    "check": "op25b.cli.check",
    "pools": "op25b.cli.show",
    "servers": "op25b.cli.show",
    "explain": "op25b.cli.explain",
    "compile": "op25b.cli.show",
    "plan": "op25b.cli.enforce",
    "apply": "op25b.cli.enforce",
    "confirm": "op25b.cli.enforce",
    "rollback": "op25b.cli.enforce",
    "status": "op25b.cli.enforce",
    "verify": "op25b.cli.enforce",
}
"""Commands, and the module that has a function of that name."""
GROUPS = {
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
"""Commands of commands, and the module that has them as `app`."""


class Commands(typer.core.TyperGroup):
    """All commands. Each is imported when it is asked for: half a second of policies, databases, servers otherwise."""

    # typer keeps the types of click to itself
    def list_commands(self, ctx: Any) -> list[str]:
        return [*SINGLE, *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in SINGLE:
            made = typer.Typer(add_completion=False, rich_markup_mode=None)
            function = getattr(import_module(SINGLE[cmd_name]), cmd_name.replace("compile", "compile_"))
            made.command(cmd_name)(function)
        elif cmd_name in GROUPS:
            made = import_module(GROUPS[cmd_name]).app
        else:
            return None
        found = typer.main.get_command(made)
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
