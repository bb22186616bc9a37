"""lease: who held which address, taken over from files, and what one subscriber held."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from op25b.cli import output, stores
from op25b.cli.options import STORE, Json, Url, Who, Why
from op25b.cli.who import HEADER, row, shown
from op25b.errors import UserError
from op25b.store import Store
from op25b.store.audit import record
from op25b.subscribers.leases import Leases, periods
from op25b.subscribers.leases.files import names as names_file
from op25b.subscribers.leases.files.entry import Identity, Subscribers
from op25b.subscribers.leases.files.reading import Format, Read, read

BATCH = 5_000
"""Facts in one transaction: short enough that the lease server need not wait."""
_FAULTS = 20

app = typer.Typer(
    add_completion=False, help="Address leases: who held which address.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def lease() -> None:
    pass


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A lease file, or a CSV file.")],
    kind: Annotated[Format, typer.Option("--format", help="csv: subscriber,prefix,started and maybe ended,session.")],
    source: Annotated[
        str | None, typer.Option("--source", metavar="NAME", help="Who reports it; the format's name if left out.")
    ] = None,
    identity: Annotated[
        Identity | None, typer.Option("--identity", help="By what of DHCP a subscriber is known.")
    ] = None,
    names: Annotated[
        Path | None, typer.Option("--names", metavar="FILE", help="CSV of identity,subscriber: who is who.")
    ] = None,
    json: Json = False,
    why: Why = "",
    by: Who = None,
    store: Url = STORE,
) -> None:
    """Take over leases: all of a file, or nothing if a line is bad. Again does no harm."""
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    subscribers = Subscribers(identity, names_file.read(names) if names else {})
    found = read(file.read_bytes(), kind, source or kind, subscribers, written)
    if found.faults:
        raise UserError("\n".join([*_told(file, found), "nothing was imported"]))
    with stores.opened(store, create=True) as opened:
        sessions, changed = _merge(opened, found)
        with opened.write() as connection:
            after = {"sessions": sessions, "changed": changed}
            record(connection, stores.by(by, why or f"import of {file}"), "import", source or kind, after=after)
    if json:
        output.data({"facts": len(found.facts), "sessions": sessions, "changed": changed})
    else:
        output.text(
            f"{len(found.facts)} facts; {sessions} sessions new or different, {changed} prefixes in other hands"
        )


def _merge(store: Store, found: Read) -> tuple[int, int]:
    # each line of a file says when its lease ends, or that it does not
    leases, facts = Leases(store, None), iter(found.facts)
    sessions = changed = 0
    while batch := list(islice(facts, BATCH)):
        merged = leases.merge(batch, datetime.now(UTC))
        sessions += merged.sessions
        changed += len(merged.changed)
    return sessions, changed


def _told(file: Path, found: Read) -> list[str]:
    told = [f"{file}:{fault.number}: {fault.text}" for fault in found.faults[:_FAULTS]]
    more = len(found.faults) - _FAULTS
    return [*told, f"and {more} bad lines more"] if more > 0 else told


@app.command("list")
def list_(
    subscriber: Annotated[str, typer.Argument(metavar="SUBSCRIBER", help="As the network reports the name.")],
    last: Annotated[int, typer.Option("--last", min=1, metavar="N", help="So many.")] = 100,
    json: Json = False,
    store: Url = STORE,
) -> None:
    """Show what a subscriber held, the newest first."""
    with stores.opened(store) as opened, opened.read() as connection:
        found = periods(connection, subscriber, last)
    if json:
        output.data([shown(each) for each in found])
    else:
        output.table(HEADER, [row(each) for each in found])
