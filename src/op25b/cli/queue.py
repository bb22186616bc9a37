"""queue list / show / retry / hold / release / drop: the mail that waits, and what an operator wants done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from op25b.cli import output
from op25b.errors import UserError
from op25b.submission.spool.errors import SpoolError
from op25b.submission.spool.marks import Mark, State
from op25b.submission.spool.reader import Reader
from op25b.submission.spool.segment import Message

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="Mail that waits to be relayed.", no_args_is_help=True
)

Spool = Annotated[Path, typer.Option("--spool", metavar="FOLDER", help="The spool.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A queue id, as `queue list` shows it.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Queue ids, as `queue list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="Every message that it applies to.")]

DEFAULT = Path("/var/spool/op25b")


@app.command("list")
def queue_list(
    spool: Spool = DEFAULT,
    held: Annotated[bool, typer.Option("--held", help="Only what is held, and why.")] = False,
    json: Json = False,
) -> None:
    """Show the messages that wait, the oldest first."""
    messages = sorted(_waiting(spool)[1].values(), key=lambda message: message.envelope.arrived)
    if held:
        messages = [message for message in messages if message.status.held is not None]
    if json:
        output.data([_fields(message) for message in messages])
        return
    output.table(("id", "arrived", "size", "state", "from", "to", "why"), map(_row, messages))


@app.command("show")
def queue_show(queue_id: Id, spool: Spool = DEFAULT, json: Json = False) -> None:
    """Show all that is known of a message: where it came from, and how each recipient stands. Not its content."""
    fields = _fields(_find(_waiting(spool)[1], [queue_id])[0])
    if json:
        output.data(fields)
        return
    recipients = fields.pop("recipients")
    origin = fields.pop("origin")
    notes = fields.pop("notes")
    labelled = {**fields, **{f"came {key}": value for key, value in origin.items()}, **notes}
    output.table(("", ""), [(key.replace("_", " "), str(value)) for key, value in labelled.items() if value])
    keys = ("address", "state", "attempts", "until", "detail")
    output.table(keys, [[str(each[key] if each[key] is not None else "-") for key in keys] for each in recipients])


@app.command("retry")
def queue_retry(ids: Ids = None, all_: All = False, spool: Spool = DEFAULT, json: Json = False) -> None:
    """Have messages tried at once instead of when they are due."""
    _mark(spool, ids, all_, json, State.RETRY, "", lambda message: message.status.held is None)


@app.command("hold")
def queue_hold(
    ids: Ids = None,
    all_: All = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown by `queue list`.")] = "by an operator",
    spool: Spool = DEFAULT,
    json: Json = False,
) -> None:
    """Keep messages from being sent until they are released. An attempt that is under way goes on."""
    _mark(spool, ids, all_, json, State.HELD, reason, lambda message: message.status.held is None)


@app.command("release")
def queue_release(ids: Ids = None, all_: All = False, spool: Spool = DEFAULT, json: Json = False) -> None:
    """Send messages that were held."""
    _mark(spool, ids, all_, json, State.RELEASED, "", lambda message: message.status.held is not None)


@app.command("drop")
def queue_drop(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Queue ids, as `queue list` shows them.")],
    spool: Spool = DEFAULT,
    json: Json = False,
) -> None:
    """Remove messages for good. Nobody is told."""
    _mark(spool, ids, False, json, State.DROPPED, "by an operator", lambda _: True)


def _mark(
    spool: Path,
    ids: list[str] | None,
    all_: bool,
    json: bool,
    state: State,
    detail: str,
    applies: Callable[[Message], bool],
) -> None:
    """Of named messages each must be there; what a message is already is no mistake."""
    if bool(ids) == all_:
        raise UserError("name queue ids, as `op25b queue list` shows them, or --all")
    reader, waiting = _waiting(spool)
    wanted = [message for message in _find(waiting, ids or waiting) if applies(message)]
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
    if not spool.is_dir():
        raise UserError(f"spool {spool}: there is no such folder; name the service's spool with --spool")
    reader = Reader.open(spool, exclusive=False)
    try:
        found = reader.scan()
    except SpoolError as error:
        raise UserError(f"spool {spool}: {error}") from None
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


def _state(message: Message) -> str:
    if message.status.held is not None:
        return "held"
    states = {status.state for status in message.status.recipients.values() if not status.done}
    return "deferred" if State.DEFERRED in states else "waiting"


def _fields(message: Message) -> dict[str, Any]:
    """JSON of a message. `state`: held, deferred (tried at least once) or waiting; sizes in octets."""
    envelope, origin = message.envelope, message.envelope.origin
    return {
        "queue_id": message.queue_id,
        "state": _state(message),
        "held": message.status.held,
        "arrived": envelope.arrived.isoformat(),
        "size": message.size,
        "sender": envelope.sender,
        "origin": {
            "address": origin.address,
            "account": origin.account,
            "helo": origin.helo,
            "protocol": origin.protocol,
            "tls": origin.tls,
        },
        "notes": envelope.notes,
        "recipients": [
            {
                "address": address,
                "state": status.state.value if status.state else None,
                "attempts": status.attempts,
                "last": status.at.isoformat() if status.at else None,
                "until": status.until.isoformat() if status.until else None,
                "detail": status.detail,
            }
            for address, status in message.status.recipients.items()
        ],
    }


def _row(message: Message) -> tuple[str, ...]:
    """Of several recipients the first that is not done stands for all."""
    left = [(address, status) for address, status in message.status.recipients.items() if not status.done]
    first, status = left[0]
    more = f" (+{len(left) - 1})" if len(left) > 1 else ""
    return (
        message.queue_id,
        message.envelope.arrived.isoformat(timespec="seconds"),
        str(message.size),
        _state(message),
        message.envelope.sender or "<>",
        first + more,
        message.status.held or status.detail,
    )
