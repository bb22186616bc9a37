"""staff: who may use the console. Passwords come from a terminal or from standard input."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import segno
import typer

from op25b.cli import output, stores
from op25b.cli.options import STORE, Json, Url, Who, Why
from op25b.cli.passwords import asked_for
from op25b.errors import UserError
from op25b.portal.staff import codes
from op25b.portal.staff.accounts import Member, Staff, checked_name, checked_roles
from op25b.portal.staff.login import sealed_for
from op25b.portal.staff.roles import STAFF
from op25b.subscribers.passwords import Hasher

app = typer.Typer(add_completion=False, help="Who may use the console.", no_args_is_help=True, rich_markup_mode=None)

ISSUER = "op25b"
SHORTEST_PASSWORD = 12

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name in the audit trail, and of the log-in.")]
Roles = Annotated[list[str], typer.Option("--role", metavar="ROLE", help=f"Repeatable: {', '.join(STAFF)}.")]
KeyFile = Annotated[
    Path,
    typer.Option("--key", envvar="OP25B_CONSOLE_KEY", metavar="FILE", help="The `key_file`; made if it is not there."),
]
KEY = Path("/etc/op25b/console-key")


@app.command()
def add(name: Name, role: Roles, key: KeyFile = KEY, why: Why = "", by: Who = None, store: Url = STORE) -> None:
    """Add somebody. The password is asked for; the secret of the one-time codes is shown this once."""
    checked, roles = checked_name(name), checked_roles(_known(role))
    with _staff(store, create=True) as staff:
        if staff.find(checked) is not None:
            raise UserError(f"{checked} is there already; `op25b staff reset` gives a new password and code")
        password, secret, sealed = _fresh(checked, key)
        staff.add(Member(checked, roles, password, sealed), stores.by(by, why))
    _show(checked, secret)


@app.command("list")
def list_(json: Json = False, store: Url = STORE) -> None:
    """Show who may use the console, and for what. Who comes by OpenID Connect is not among them."""
    with _staff(store) as staff:
        members = [member.shown() for member in staff.all()]
    if json:
        output.data(members)
    else:
        output.table(("name", "roles"), [(each["name"], ", ".join(each["roles"])) for each in members])


@app.command()
def change(name: Name, role: Roles, why: Why = "", by: Who = None, store: Url = STORE) -> None:
    """Replace somebody's roles; who is logged in has to log in again."""
    roles = checked_roles(_known(role))
    with _staff(store) as staff:
        staff.change(name, roles, stores.by(by, why))
    output.text(f"{name}: {', '.join(sorted(roles))}")


@app.command()
def reset(name: Name, key: KeyFile = KEY, why: Why = "", by: Who = None, store: Url = STORE) -> None:
    """Give somebody a new password and new one-time codes; the old ones, and sessions under way, end."""
    with _staff(store) as staff:
        if staff.find(name) is None:
            raise UserError(f"nobody of the staff is called {name}; `op25b staff list` shows all")
        password, secret, sealed = _fresh(name, key)
        staff.reset(name, password, sealed, stores.by(by, why))
    _show(name, secret)


@app.command()
def remove(name: Name, why: Why = "", by: Who = None, store: Url = STORE) -> None:
    """Remove somebody, and end the sessions under way."""
    with _staff(store) as staff:
        staff.remove(name, stores.by(by, why))
    output.text(f"{name} is removed")


@contextmanager
def _staff(url: str, create: bool = False) -> Iterator[Staff]:
    with stores.opened(url, create) as store:
        yield Staff(store)


def _known(roles: list[str]) -> list[str]:
    if unknown := [each for each in roles if each not in STAFF]:
        raise UserError(f"there is no role {unknown[0]!r}; write some of {', '.join(STAFF)}")
    return roles


def _fresh(name: str, key_file: Path) -> tuple[str, str, bytes]:
    """(hash of the password, secret of the codes, the same sealed)."""
    if not key_file.exists():
        codes.make_key(key_file, os.urandom)
        output.note(f"{key_file} is made: let the service's group read it, and keep a copy apart from the store's")
    key = codes.read_key(key_file)
    password = asked_for()
    if len(password) < SHORTEST_PASSWORD:
        raise UserError(f"the password has fewer than {SHORTEST_PASSWORD} characters; choose a longer one")
    try:
        hashed = Hasher(os.urandom, scram_iterations=None).make(password).hash
    except ValueError as fault:
        raise UserError(f"the password {fault}; choose another") from None
    secret = codes.fresh(os.urandom)
    return hashed, secret, key.seal(secret.encode(), sealed_for(name), os.urandom)


def _show(name: str, secret: str) -> None:
    uri = codes.uri(secret, name, ISSUER)
    drawn = io.StringIO()
    segno.make(uri, error="m").terminal(drawn, compact=True)
    output.text(drawn.getvalue().rstrip("\n"))
    output.text(f"{name}: read this with the app that makes the one-time codes, or type it in: {secret}")
    output.text(uri)
