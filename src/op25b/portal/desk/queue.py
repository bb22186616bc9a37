"""The mail that waits, for whoever looks after it: as `op25b queue` shows it, and never its content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel

from op25b.errors import UserError
from op25b.portal.desk.context import Context
from op25b.portal.staff.roles import Person
from op25b.store.audit import record
from op25b.submission import queue_view
from op25b.submission.queue_view import Filter, QueueState
from op25b.submission.spool.errors import SpoolError
from op25b.submission.spool.marks import Mark, State
from op25b.submission.spool.reader import Reader
from op25b.submission.spool.segment import Message

Taken = Literal["retry", "hold", "release"]
_STATES: Mapping[Taken, State] = {"retry": State.RETRY, "hold": State.HELD, "release": State.RELEASED}
PAGE = 100


class NoQueue(UserError):
    """There is no spool on this host."""


class NotThere(UserError):
    """No such message waits."""


class Recipient(BaseModel):
    """One recipient, and how it stands with the message."""

    address: str
    state: str | None
    attempts: int
    last: AwareDatetime | None
    until: AwareDatetime | None
    detail: str


class Origin(BaseModel):
    """Where a message came from."""

    address: str
    account: str | None
    helo: str
    protocol: str
    tls: str | None


class Waiting(BaseModel):
    """One message. `size`: octets; `held`: why, or null."""

    queue_id: str
    state: QueueState
    held: str | None
    arrived: AwareDatetime
    next_attempt: AwareDatetime | None
    gives_up: AwareDatetime
    size: int
    sender: str
    origin: Origin
    recipients: list[Recipient]


class Queue(BaseModel):
    """What waits: how many in each state, and the oldest of what was asked for."""

    counts: dict[QueueState, int]
    messages: list[Waiting]


def possible(message: Waiting) -> list[Taken]:
    """The steps that its state allows."""
    return ["release"] if message.state == "held" else ["retry", "hold"]


def look(context: Context, wanted: Filter) -> Queue:
    """The queue. Raises NoQueue; UserError if it cannot be read. Blocks."""
    _, messages = _opened(context.spool)
    counts: dict[QueueState, int] = {"waiting": 0, "deferred": 0, "held": 0}
    for message in messages.values():
        counts[queue_view.state(message)] += 1
    found = sorted(filter(wanted.takes, messages.values()), key=lambda message: message.envelope.arrived)
    return Queue(counts=counts, messages=[_shown(message) for message in found[:PAGE]])


def one(context: Context, queue_id: str) -> Waiting:
    """One message. Raises NotThere too."""
    return _shown(_found(_opened(context.spool)[1], queue_id))


def take(context: Context, queue_id: str, step: Taken, person: Person, why: str) -> Waiting:
    """Have a message tried at once, kept, or sent after all. Raises NotThere, and UserError if the disk failed."""
    reader, messages = _opened(context.spool)
    message = _found(messages, queue_id)
    before, by = queue_view.state(message), context.by(person, why)
    if step not in possible(_shown(message)):
        raise UserError(f"{queue_id} is {before}: {step} is not possible")
    try:
        reader.mark([Mark(queue_id, None, _STATES[step], by.at, why if step == "hold" else "")])
    except SpoolError as error:
        raise UserError(f"nothing was changed: {error}") from None
    done = _shown(message)
    with context.store.write() as connection:
        record(connection, by, step, f"message {queue_id}", {"state": before}, {"state": done.state})
    context.changed(person, f"message {queue_id}", step)
    return done


def _opened(spool: Path | None) -> tuple[Reader, dict[str, Message]]:
    if spool is None:
        raise NoQueue("no mail is taken on this host; the queue is where [submission] is")
    try:
        reader = Reader.open(spool, exclusive=False)
        return reader, {message.queue_id: message for message in reader.scan().new}
    except SpoolError as error:
        raise UserError(f"the spool cannot be read: {error}") from None


def _found(messages: Mapping[str, Message], queue_id: str) -> Message:
    if (message := messages.get(queue_id)) is None:
        raise NotThere(f"no message {queue_id} waits: it was delivered, bounced or dropped, or never was here")
    return message


def _shown(message: Message) -> Waiting:
    return Waiting.model_validate(queue_view.fields(message), strict=False)
