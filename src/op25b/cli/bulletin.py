"""bulletin: outages and maintenance, as the customers' pages tell of them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Annotated, Literal

import typer

from op25b.cli import output, stores
from op25b.cli.instants import instant
from op25b.cli.options import STORE, Json, Url, Who, Why
from op25b.policy.table import Words
from op25b.rollout import bulletins
from op25b.rollout.bulletins import Bulletin, Draft, Kind

app = typer.Typer(
    add_completion=False, help="Outages and maintenance on the pages.", no_args_is_help=True, rich_markup_mode=None
)

HEADER = ("id", "kind", "from", "until", "text")


@app.command()
def add(
    kind: Annotated[Literal["outage", "maintenance"], typer.Argument(help="What it is.")],
    ja: Annotated[str, typer.Option("--ja", metavar="TEXT", help="What customers read in Japanese.")],
    en: Annotated[str, typer.Option("--en", metavar="TEXT", help="The same in English.")],
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="ISO 8601 with an offset; now if left out.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Its end, if it is known.")] = None,
    why: Why = "",
    by: Who = None,
    store: Url = STORE,
) -> None:
    """Put a bulletin on the pages, in both languages; maintenance from two weeks before it begins."""
    end_at = None if until is None else instant(until, _zone(), "--until")
    draft = Draft(Kind(kind), Words(ja=ja, en=en), instant(from_, _zone(), "--from"), end_at)
    with stores.opened(store) as opened, opened.write() as connection:
        made = bulletins.add(connection, draft, stores.by(by, why))
    output.text(f"bulletin {made.id} is added")


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    json: Json = False,
    store: Url = STORE,
) -> None:
    """Show the bulletins that are on or to come."""
    with stores.opened(store) as opened, opened.read() as connection:
        found = bulletins.listed(connection, None if all_ else datetime.now(UTC))
    if json:
        output.data([each.shown() for each in found])
    else:
        output.table(HEADER, map(_row, found))


@app.command()
def end(
    number: Annotated[int, typer.Argument(metavar="ID", help="As `list` shows it.")],
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it is over; now if left out.")] = None,
    why: Why = "",
    by: Who = None,
    store: Url = STORE,
) -> None:
    """Say when a bulletin is over, or take it from the pages now."""
    with stores.opened(store) as opened, opened.write() as connection:
        ended = bulletins.end(connection, number, instant(at, _zone()), stores.by(by, why))
    assert ended.until is not None
    output.text(f"bulletin {number} is over at {ended.until.isoformat(timespec='seconds')}")


def _zone() -> tzinfo:
    return datetime.now(UTC).astimezone().tzinfo or UTC


def _row(each: Bulletin) -> tuple[str, ...]:
    until = "" if each.until is None else each.until.astimezone().isoformat(timespec="minutes")
    return str(each.id), each.kind, each.from_.astimezone().isoformat(timespec="minutes"), until, each.text.en
