"""credentials: passwords by post, from the customer's request to the letter; and the notices of acceptance."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Annotated

import typer

from op25b.cli import output, policyfile, stores
from op25b.cli.options import STORE, Json, NeededWhy, PolicyFile, Url, Who, Why
from op25b.errors import UserError
from op25b.portal.public.selfservice import letter
from op25b.rollout import printing
from op25b.subscribers.accounts import prepared_name
from op25b.subscribers.credentials import reissues
from op25b.subscribers.credentials.acceptances import Acceptances, Notice
from op25b.subscribers.credentials.issuing import Issued, Issuing
from op25b.subscribers.credentials.reissues import Reissue, Reissues, State
from op25b.subscribers.passwords import Hasher

app = typer.Typer(
    add_completion=False,
    help="Credentials: passwords by post, and notices of acceptance.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The request's number.", min=1, max=reissues.HIGHEST)]
COLUMNS = ("account", "number", "password")


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those that were sent or refused too.")] = False,
    json: Json = False,
    store: Url = STORE,
) -> None:
    """Show who asked for a password by post, oldest first."""
    with stores.opened(store) as opened:
        found = Reissues(opened).listed(tuple(State) if all_ else tuple(reissues.OPEN))
    if json:
        output.data([each.shown() for each in found])
        return
    output.table(("number", "state", "requested", "brand", "address", "name", "contract"), map(_row, found))


@app.command()
def show(number: Number, json: Json = False, store: Url = STORE) -> None:
    """Show one request: what is to be compared with the customer's file before the letter is printed."""
    with stores.opened(store) as opened:
        shown = Reissues(opened).one(number).shown()
    if json:
        output.data(shown)
    else:
        output.table(("what", "value"), [(key.replace("_", " "), stores.cell(value)) for key, value in shown.items()])


@app.command("print")
def print_(
    number: Number,
    policy: PolicyFile,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The PDF to be made; it must not be there yet.")],
    why: Why = "",
    by: Who = None,
    store: Url = STORE,
) -> None:
    """Give the account a new password, which is in the letter alone. Once more, and the earlier letter is worthless."""
    loaded = policyfile.policy(policy)

    def write(reissue: Reissue, issued: Issued) -> None:
        printing.write([letter.html(loaded, reissue, issued)], to)

    with stores.opened(store) as opened:
        issuing = Issuing(opened, Hasher(os.urandom), loaded.credentials, os.urandom)
        Reissues(opened).print(number, issuing, write, stores.by(by, why))
    output.text(f"request {number} is printed: {to}")


@app.command()
def sent(number: Number, why: Why = "", by: Who = None, store: Url = STORE) -> None:
    """The letter is in the post."""
    with stores.opened(store) as opened:
        Reissues(opened).sent(number, stores.by(by, why))
    output.text(f"request {number} is sent")


@app.command()
def refuse(number: Number, why: NeededWhy, by: Who = None, store: Url = STORE) -> None:
    """Send no letter."""
    with stores.opened(store) as opened:
        Reissues(opened).refuse(number, stores.by(by, why))
    output.text(f"request {number} is refused")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"CSV with the columns {', '.join(COLUMNS)}.")],
    why: Why = "",
    by: Who = None,
    store: Url = STORE,
) -> None:
    """Take over notices of acceptance, whose initial passwords can be had back: all of them, or none."""
    notices = _read(file)
    with stores.opened(store) as opened:
        added = Acceptances(opened, Hasher(os.urandom)).add(notices, stores.by(by, why or f"import of {file}"))
    output.text(f"{added} notices taken over")


def _read(file: Path) -> list[Notice]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = list(csv.DictReader(opened, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: not CSV in UTF-8 ({error}); export it anew") from None
    if not rows or set(COLUMNS) - set(rows[0]):
        raise UserError(f"{file}: a column is missing; the first line has the names {', '.join(COLUMNS)}")
    found = []
    for number, row in enumerate(rows, start=2):
        if not all(row[column] for column in COLUMNS):
            raise UserError(f"{file}:{number}: a value is missing; each line has {', '.join(COLUMNS)}")
        found.append(Notice(prepared_name(row["account"]), row["number"], row["password"]))
    return found


def _row(reissue: Reissue) -> tuple[str, ...]:
    wanted, at = reissue.wanted, reissue.requested_at.isoformat(timespec="minutes")
    return str(reissue.id), reissue.state, at, wanted.brand, wanted.address, wanted.name, wanted.contract
