"""How messages of the queue are chosen and shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from op25b.submission.relay.schedule import Schedule
from op25b.submission.spool.marks import State
from op25b.submission.spool.segment import Message
from op25b.submission.trace import Line

QueueState = Literal["waiting", "deferred", "held"]
_SCHEDULE = Schedule()


@dataclass(frozen=True)
class Filter:
    """None: any. An address may also be `@domain`; case does not matter in it."""

    state: QueueState | None = None
    account: str | None = None
    sender: str | None = None
    to: str | None = None

    @property
    def chooses(self) -> bool:
        return self != Filter()

    def takes(self, message: Message) -> bool:
        envelope = message.envelope
        left = [address for address, status in message.status.recipients.items() if not status.done]
        return (
            (self.state is None or state(message) == self.state)
            and (self.account is None or envelope.origin.account == self.account)
            and (self.sender is None or _is(envelope.sender, self.sender))
            and (self.to is None or any(_is(address, self.to) for address in left))
        )


def _is(address: str, wanted: str) -> bool:
    """`<>` stands for the empty sender."""
    address, wanted = address.lower() or "<>", wanted.lower()
    return address.endswith(wanted) if wanted.startswith("@") else address == wanted


def state(message: Message) -> QueueState:
    """Held; deferred: tried at least once; or waiting."""
    if message.status.held is not None:
        return "held"
    states = {status.state for status in message.status.recipients.values() if not status.done}
    return "deferred" if State.DEFERRED in states else "waiting"


def next_attempt(message: Message) -> datetime | None:
    """When the first of its recipients is due; None: now, or as long as it is held."""
    untils = [status.until for status in message.status.recipients.values() if not status.done]
    due = [until for until in untils if until is not None]
    return min(due) if len(due) == len(untils) and message.status.held is None else None


def gives_up(message: Message) -> datetime:
    """From then on what is put off is bounced. The time counts from when the message was first due."""
    envelope = message.envelope
    return max(envelope.arrived, envelope.hold_until or envelope.arrived) + timedelta(seconds=_SCHEDULE.give_up)


def fields(message: Message) -> dict[str, Any]:
    """JSON of a message. `state`: held, deferred (tried at least once) or waiting; sizes in octets."""
    envelope, origin = message.envelope, message.envelope.origin
    due = next_attempt(message)
    return {
        "queue_id": message.queue_id,
        "state": state(message),
        "held": message.status.held,
        "arrived": envelope.arrived.isoformat(),
        "next_attempt": due.isoformat() if due else None,
        "gives_up": gives_up(message).isoformat(),
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


def row(message: Message) -> tuple[str, ...]:
    """Of several recipients the first that is not done stands for all."""
    left = [(address, status) for address, status in message.status.recipients.items() if not status.done]
    first, status = left[0]
    more = f" (+{len(left) - 1})" if len(left) > 1 else ""
    return (
        message.queue_id,
        message.envelope.arrived.isoformat(timespec="seconds"),
        str(message.size),
        state(message),
        message.envelope.sender or "<>",
        first + more,
        message.status.held or status.detail,
    )


def schedule() -> str:
    """When a message is tried again, in words."""
    first, longest = timedelta(seconds=_SCHEDULE.first), timedelta(seconds=_SCHEDULE.longest)
    warn, end = timedelta(seconds=_SCHEDULE.warn), timedelta(seconds=_SCHEDULE.give_up)
    return (
        f"again after as long as it has waited, {first} at least and {longest} at most, give or take "
        f"{_SCHEDULE.jitter:.0%}; its sender hears of the delay after {warn}; bounced after {end}"
    )


def trace_row(line: Line) -> tuple[str, ...]:
    """The first of several recipients stands for all."""
    more = f" (+{len(line.recipients) - 1})" if len(line.recipients) > 1 else ""
    to = line.recipients[0] + more
    return line.queue_id, line.arrived, line.account or "-", line.address, line.sender or "<>", to
