"""queue list, show, trace, retry, hold, release, drop: the mail that waits, and what an operator wants done with it."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from op25b.cli import output
from op25b.cli.addresses import address
from op25b.cli.instants import instant
from op25b.cli.options import Json
from op25b.errors import Missing, UserError
from op25b.submission import queue_view, trace
from op25b.submission.queue_view import Filter, QueueState
from op25b.submission.spool.errors import SpoolError
from op25b.submission.spool.marks import Mark, State
from op25b.submission.spool.reader import Reader
from op25b.submission.spool.segment import Message

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="Mail that waits to be relayed.", no_args_is_help=True
)

Spool = Annotated[Path, typer.Option("--spool", metavar="FOLDER", help="The spool.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A queue id, as `queue list` shows it.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Queue ids, as `queue list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="Every message that it applies to.")]
InState = Annotated[QueueState | None, typer.Option("--state", help="Those in this state.")]
OfAccount = Annotated[str | None, typer.Option("--account", help="Those that this account handed in.")]
From = Annotated[str | None, typer.Option("--sender", help="Those from this address, or @domain; <>: bounces.")]
To = Annotated[str | None, typer.Option("--to", help="Those with a recipient left at this address, or @domain.")]

DEFAULT = Path("/var/spool/op25b")
PAGE = 100


@app.command("list")
def queue_list(
    state: InState = None,
    account: OfAccount = None,
    sender: From = None,
    to: To = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=0, help=f"Messages shown, 0 for all; {PAGE} unless --json.", show_default=False),
    ] = None,
    skip: Annotated[int, typer.Option("--skip", min=0, help="Messages left out at the beginning.")] = 0,
    spool: Spool = DEFAULT,
    json: Json = False,
) -> None:
    """Show the messages that wait, the oldest first."""
    wanted = Filter(state, account, sender, to)
    found = [message for message in _waiting(spool)[1].values() if wanted.takes(message)]
    found.sort(key=lambda message: message.envelope.arrived)
    count = (0 if json else PAGE) if limit is None else limit
    shown = found[skip : skip + count] if count else found[skip:]
    if json:
        output.data([queue_view.fields(message) for message in shown])
        return
    output.table(("id", "arrived", "size", "state", "from", "to", "why"), map(queue_view.row, shown))
    if len(shown) < len(found):
        output.note(f"{skip + 1} to {skip + len(shown)} of {len(found)} messages; --skip and --limit show others")


@app.command("show")
def queue_show(queue_id: Id, spool: Spool = DEFAULT, json: Json = False) -> None:
    """Show all that is known of a message: where it came from, and how each recipient stands. Not its content."""
    fields = queue_view.fields(_find(_waiting(spool)[1], [queue_id])[0])
    if json:
        output.data(fields)
        return
    recipients = fields.pop("recipients")
    origin = fields.pop("origin")
    notes = fields.pop("notes")
    labelled = {**fields, **{f"came {key}": value for key, value in origin.items()}, **notes}
    labelled["retried"] = queue_view.schedule()
    output.table(("", ""), [(key.replace("_", " "), str(value)) for key, value in labelled.items() if value])
    keys = ("address", "state", "attempts", "until", "detail")
    output.table(keys, [[str(each[key] if each[key] is not None else "-") for key in keys] for each in recipients])


@app.command("trace")
def queue_trace(
    what: Annotated[
        str | None, typer.Argument(metavar="WHAT", help="A queue id, account, mail address or IP address.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Arrived then or later.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Arrived before.")] = None,
    spool: Spool = DEFAULT,
    json: Json = False,
) -> None:
    """Show who sent messages, those that have left included, for as long as the policy's trace_days."""
    if what is None and since is None:
        raise UserError("say what to look for: a queue id, an account, an address, or --since TIME")
    begin = instant(since, UTC, "--since") if since else None
    end = instant(until, UTC, "--until") if until else None
    with suppress(ValueError):
        what = what and str(address(what))
    # what the relay has not seen yet, too
    waiting = trace.wanted(map(trace.Line.of, _waiting(spool)[1].values()), what, begin, end)
    try:
        found = {line.queue_id: line for line in (*waiting, *trace.search(spool, what, begin, end))}
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be read ({error.strerror}); run it as the service's user") from None
    lines = sorted(found.values(), key=lambda line: line.arrived)
    if json:
        output.data([asdict(line) for line in lines])
    elif lines:
        output.table(("id", "arrived", "account", "address", "from", "to"), map(queue_view.trace_row, lines))
    else:
        output.note("nothing was found: it never was here, or is older than the policy's trace_days")


@app.command("retry")
def queue_retry(
    ids: Ids = None,
    all_: All = False,
    account: OfAccount = None,
    sender: From = None,
    to: To = None,
    spool: Spool = DEFAULT,
    json: Json = False,
) -> None:
    """Have messages tried at once instead of when they are due."""
    chosen = _Choice(ids or [], all_, Filter(None, account, sender, to))
    _mark(spool, chosen, json, State.RETRY, "", lambda message: message.status.held is None)


@app.command("hold")
def queue_hold(
    ids: Ids = None,
    all_: All = False,
    account: OfAccount = None,
    sender: From = None,
    to: To = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown by `queue list`.")] = "by an operator",
    spool: Spool = DEFAULT,
    json: Json = False,
) -> None:
    """Keep messages from being sent until they are released. An attempt that is under way goes on."""
    chosen = _Choice(ids or [], all_, Filter(None, account, sender, to))
    _mark(spool, chosen, json, State.HELD, reason, lambda message: message.status.held is None)


@app.command("release")
def queue_release(
    ids: Ids = None,
    all_: All = False,
    account: OfAccount = None,
    sender: From = None,
    to: To = None,
    spool: Spool = DEFAULT,
    json: Json = False,
) -> None:
    """Send messages that were held."""
    chosen = _Choice(ids or [], all_, Filter(None, account, sender, to))
    _mark(spool, chosen, json, State.RELEASED, "", lambda message: message.status.held is not None)


@app.command("drop")
def queue_drop(
    ids: Ids = None,
    state: InState = None,
    account: OfAccount = None,
    sender: From = None,
    to: To = None,
    spool: Spool = DEFAULT,
    json: Json = False,
) -> None:
    """Remove messages for good. Nobody is told."""
    chosen = _Choice(ids or [], False, Filter(state, account, sender, to))
    _mark(spool, chosen, json, State.DROPPED, "by an operator", lambda _: True)


@dataclass(frozen=True)
class _Choice:
    """What a command was told to work on: in one way, not in two."""

    ids: list[str]
    all: bool
    filter: Filter

    def of(self, waiting: dict[str, Message]) -> list[Message]:
        """Raises UserError for ids that are not there."""
        if bool(self.ids) + self.all + self.filter.chooses != 1:
            raise UserError("name queue ids, as `op25b queue list` shows them, or --all, or what they have in common")
        return [message for message in _find(waiting, self.ids or waiting) if self.filter.takes(message)]


def _mark(
    spool: Path, choice: _Choice, json: bool, state: State, detail: str, applies: Callable[[Message], bool]
) -> None:
    """Of named messages each must be there; what a message is already is no mistake."""
    reader, waiting = _waiting(spool)
    wanted = [message for message in choice.of(waiting) if applies(message)]
    now = datetime.now(UTC)
    try:
        reader.mark([Mark(message.queue_id, None, state, now, detail) for message in wanted])
    except SpoolError as error:
        raise UserError(f"spool {spool}: nothing was changed: {error}") from None
    if json:
        output.data([message.queue_id for message in wanted])
    else:
        output.text(f"{state}: {len(wanted)} {'message' if len(wanted) == 1 else 'messages'}")


def _waiting(spool: Path) -> tuple[Reader, dict[str, Message]]:
    try:
        os.listdir(spool)
    except PermissionError:
        raise Missing(f"spool {spool}: this user may not read it; run as root, or as the service's user") from None
    except OSError:
        raise UserError(f"spool {spool}: there is no such folder; name the service's spool with --spool") from None
    reader = Reader.open(spool, exclusive=False)
    collecting = gc.isenabled()
    gc.disable()  # a long queue is a million objects: looking for cycles among them takes half the time
    try:
        found = reader.scan()
    except SpoolError as error:
        raise UserError(f"spool {spool}: {error}") from None
    finally:
        if collecting:
            gc.enable()
    for damage in found.damage:
        output.note(f"damaged: {damage.what}")
    return reader, {message.queue_id: message for message in found.new}


def _find(waiting: dict[str, Message], ids: Iterable[str]) -> list[Message]:
    named = list(dict.fromkeys(ids))
    if missing := [queue_id for queue_id in named if queue_id not in waiting]:
        raise UserError(
            f"no message {', '.join(missing)} waits: it was delivered, bounced or dropped, or never was here"
        )
    return [waiting[queue_id] for queue_id in named]
