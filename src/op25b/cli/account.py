"""account: who may send. Passwords come from a terminal or from standard input, never from the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from op25b.cli import account_import, output, stores
from op25b.cli.options import STORE, Json, NeededWhy, Url, Who, Why
from op25b.cli.passwords import asked_for
from op25b.errors import UserError
from op25b.store import schema
from op25b.store.audit import trail
from op25b.subscribers.accounts import LIMITS, Account, Accounts, New, prepared_name, prepared_senders
from op25b.subscribers.passwords import Hasher, Secret

app = typer.Typer(
    add_completion=False, help="Accounts: who may send, as whom, how much.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name; case makes no difference.")]
Senders = Annotated[
    list[str] | None,
    typer.Option("--sender", metavar="ADDRESS", help="May send as user@domain, or @domain for all of it. Repeatable."),
]
LimitOptions = Annotated[
    list[str] | None, typer.Option("--limit", metavar="NAME=NUMBER", help=f"Repeatable: {', '.join(LIMITS)}.")
]


@app.command()
def add(
    name: Name, sender: Senders = None, limit: LimitOptions = None, why: Why = "", by: Who = None, store: Url = STORE
) -> None:
    """Add an account; its password is asked for, or is the first line of standard input."""
    prepared = prepared_name(name)
    allowed, limits = prepared_senders(prepared, sender or ()), _limits(limit)
    with _accounts(store, create=True) as accounts:
        if accounts.find(prepared) is not None:
            raise UserError(f"the account {prepared} exists already; `op25b account reset` gives it a new password")
        accounts.add([New(prepared, _new_secret(), allowed, limits)], stores.by(by, why))
    output.text(f"{prepared} may send as {', '.join(sorted(allowed))}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Dovecot passwd-file.")],
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="DOMAIN", help="Names without @ send as NAME@DOMAIN.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Import the good lines in spite of bad ones.")] = False,
    skip_existing: Annotated[bool, typer.Option("--skip-existing", help="Leave accounts that exist alone.")] = False,
    json: Json = False,
    why: Why = "",
    by: Who = None,
    store: Url = STORE,
) -> None:
    """Take over accounts with their hashes: all of them, or none if a line is bad."""
    source = account_import.Source(str(file), file.read_bytes(), domain)
    with _accounts(store, create=True) as accounts:
        done = account_import.run(accounts, source, skip_bad, skip_existing, stores.by(by, why or f"import of {file}"))
    if json:
        output.data(done.shown())
    else:
        output.text(f"{done.added} accounts added, {done.existing} left alone, {len(done.faults)} bad lines skipped")


@app.command()
def change(
    name: Name, sender: Senders = None, limit: LimitOptions = None, why: Why = "", by: Who = None, store: Url = STORE
) -> None:
    """Replace as whom an account may send, or its limits (`--limit none` takes them all away)."""
    prepared = prepared_name(name)
    if sender is None and limit is None:
        raise UserError("nothing to change; say --sender, --limit or both")
    with _accounts(store) as accounts:
        allowed = None if sender is None else prepared_senders(prepared, sender)
        limits = None if limit is None else {} if limit == ["none"] else _limits(limit)
        done = accounts.change(prepared, stores.by(by, why), allowed, limits)
    output.text(f"{prepared} is changed" if done else f"{prepared} is so already")


@app.command()
def reset(name: Name, why: Why = "", by: Who = None, store: Url = STORE) -> None:
    """Give an account a new password, asked for or read from standard input."""
    prepared = prepared_name(name)
    with _accounts(store) as accounts:
        _found(accounts, prepared)
        accounts.set_secret(prepared, _new_secret(), stores.by(by, why))
    output.text(f"{prepared} has a new password")


@app.command()
def suspend(name: Name, why: NeededWhy, by: Who = None, store: Url = STORE) -> None:
    """Stop an account from logging in, from the next log-in on."""
    prepared = prepared_name(name)
    with _accounts(store) as accounts:
        done = accounts.suspend(prepared, stores.by(by, why))
    output.text(f"{prepared} is suspended" if done else f"{prepared} is suspended already")


@app.command()
def resume(name: Name, why: Why = "", by: Who = None, store: Url = STORE) -> None:
    """Let a suspended account log in again."""
    prepared = prepared_name(name)
    with _accounts(store) as accounts:
        done = accounts.resume(prepared, stores.by(by, why))
    output.text(f"{prepared} may log in again" if done else f"{prepared} was not suspended")


@app.command("list")
def list_(json: Json = False, store: Url = STORE) -> None:
    """Show every account."""
    with _accounts(store) as accounts:
        found = accounts.all()
    if json:
        output.data([_shown(account) for account in found])
        return
    rows = [
        (each.name, ", ".join(sorted(each.senders)), each.scheme, "" if each.suspended is None else "suspended")
        for each in found
    ]
    output.table(("account", "sends as", "password", "state"), rows)


@app.command()
def show(name: Name, json: Json = False, store: Url = STORE) -> None:
    """Show one account."""
    prepared = prepared_name(name)
    with _accounts(store) as accounts:
        shown = _shown(_found(accounts, prepared))
    if json:
        output.data(shown)
    else:
        output.table(("what", "value"), [(key.replace("_", " "), stores.cell(value)) for key, value in shown.items()])


@app.command()
def audit(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One account; all if left out.")] = None,
    last: Annotated[int, typer.Option("--last", min=1, metavar="N", help="So many lines.")] = 100,
    json: Json = False,
    store: Url = STORE,
) -> None:
    """Show who changed what, when and why; oldest first."""
    subject = None if name is None else prepared_name(name)
    with stores.opened(store) as opened, opened.read() as connection:
        entries = trail(connection, subject, last)
    if json:
        output.data([{**vars(entry), "at": entry.at.isoformat()} for entry in entries])
    else:
        rows = [(*line[:3], entry.subject, line[3]) for entry in entries for line in [stores.line(entry)]]
        output.table(("at", "who", "what", "account", "why"), rows)


@app.command()
def upgrade(store: Url = STORE) -> None:
    """Make the tables of a new store, or bring those of an earlier op25b up to date."""
    output.text("the store is up to date" if schema.upgrade(store) else "the store was up to date already")


@contextmanager
def _accounts(url: str, create: bool = False) -> Iterator[Accounts]:
    with stores.opened(url, create) as store:
        yield Accounts(store)


def _found(accounts: Accounts, name: str) -> Account:
    if (account := accounts.find(name)) is None:
        raise UserError(f"there is no account {name}; `op25b account list` shows all")
    return account


def _new_secret() -> Secret:
    try:
        return Hasher(os.urandom).make(asked_for())
    except ValueError as fault:
        raise UserError(f"the password {fault}; choose another") from None


def _limits(given: list[str] | None) -> dict[str, int]:
    limits = {}
    for text in given or ():
        name, _, number = text.partition("=")
        if name not in LIMITS or not number.isascii() or not number.isdecimal():
            raise UserError(f"the limit {text!r} is not NAME=NUMBER; names are {', '.join(LIMITS)}")
        limits[name] = int(number)
    return limits


def _shown(account: Account) -> dict[str, Any]:
    return {
        **account.shown(),
        "created_at": account.created_at.isoformat(),
        "changed_at": account.changed_at.isoformat(),
    }
