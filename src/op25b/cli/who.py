"""who: which subscriber holds an address, or held it at an instant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from op25b.cli import output, stores
from op25b.cli.addresses import address
from op25b.cli.instants import instant
from op25b.cli.options import STORE, At, Json, Url
from op25b.errors import UserError
from op25b.subscribers.leases import Period
from op25b.subscribers.leases import who as asked

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def who(
    ip: Annotated[str, typer.Argument(metavar="IP", help="The address.")],
    at: At = None,
    json: Json = False,
    store: Url = STORE,
) -> None:
    """Say which subscriber holds an address, or held it; exit with status 1 if nobody is known to."""
    try:
        wanted = address(ip)
    except ValueError as error:
        raise UserError(str(error)) from None
    when = instant(at, datetime.now(UTC).astimezone().tzinfo or UTC)
    with stores.opened(store) as opened, opened.read() as connection:
        answer = asked(connection, wanted, when)
    if json:
        holder = answer.holder and shown(answer.holder)
        others = [shown(other) for other in answer.others]
        output.data({"address": str(wanted), "at": when.isoformat(), "holder": holder, "others": others})
    else:
        nobody = f"nobody is known to have held {wanted} at {when.isoformat(timespec='seconds')}"
        output.text(nobody if answer.holder is None else answer.holder.subscriber)
        found = [each for each in (answer.holder, *answer.others) if each is not None]
        if found:
            marks = ["claimed it too"] * len(found)
            if answer.holder is not None:
                marks[0] = "held it" if at else "holds it"
            output.table(("", *HEADER), [(mark, *row(each)) for mark, each in zip(marks, found, strict=True)])
    if answer.holder is None:
        raise typer.Exit(1)


HEADER = ("subscriber", "prefix", "since", "until", "last report", "source", "session")


def row(period: Period) -> tuple[str, ...]:
    """A period in columns, under HEADER, in this host's time zone."""
    since, until, seen = (_local(each) for each in (period.since, period.until, period.seen))
    return period.subscriber, period.prefix, since, until, seen, period.source, period.session


def shown(period: Period) -> dict[str, Any]:
    """A period as JSON. `until` null: without limit."""
    return {
        "subscriber": period.subscriber,
        "prefix": period.prefix,
        "since": period.since.isoformat(),
        "until": period.until and period.until.isoformat(),
        "seen": period.seen.isoformat(),
        "source": period.source,
        "session": period.session,
    }


def _local(at: datetime | None) -> str:
    return "" if at is None else at.astimezone().isoformat(timespec="seconds")
