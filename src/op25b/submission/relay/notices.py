"""Who hears what of a message, and once each: writes the reports into the spool as messages of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from op25b.submission.relay.bounce import Action, Report, wanted
from op25b.submission.relay.outcome import Outcome, Result, failed
from op25b.submission.relay.schedule import Schedule
from op25b.submission.spool.envelope import Envelope, Origin, Recipient
from op25b.submission.spool.errors import SpoolError
from op25b.submission.spool.segment import Message
from op25b.submission.spool.writer import Spool

REPORT_OF = "report-of"
"""Note of a report's envelope: the queue id that it is about; beside it `action` and `to`, a JSON list of addresses."""

_NO_CONTENT = b"Subject: (the message could not be read)\r\n"


@dataclass(frozen=True, slots=True)
class Moment:
    """When an attempt ended, in the life of its message. `start`: when it was first due."""

    now: datetime
    start: datetime

    @property
    def age(self) -> float:
        """Seconds."""
        return (self.now - self.start).total_seconds()


class Notices:
    """Reports on the messages of one spool."""

    def __init__(self, spool: Spool, own_name: str, schedule: Schedule) -> None:
        self._spool = spool
        self._own_name = own_name
        self._schedule = schedule
        self._told: dict[str, dict[str, set[Action]]] = {}

    def recall(self, messages: Iterable[Message]) -> None:
        """Whom the reports that wait in the spool tell already: a crash may have come before the mark."""
        for message in messages:
            notes = message.envelope.notes
            if REPORT_OF in notes:
                about = self._told.setdefault(notes[REPORT_OF], {})
                for address in json.loads(notes["to"]):
                    about.setdefault(address, set()).add(Action(notes["action"]))

    def settled(self, message: Message) -> dict[str, Outcome]:
        """The recipients of whose failure a report told, and who are not marked for it."""
        gone = failed("5.0.0", "bounced before the relay was started again")
        return {
            address: gone
            for address, actions in self._told.get(message.queue_id, {}).items()
            if Action.FAILED in actions and not message.status.recipients[address].done
        }

    def forget(self, queue_id: str) -> None:
        """The message is done."""
        self._told.pop(queue_id, None)

    async def send(self, message: Message, outcomes: Mapping[str, Outcome], moment: Moment) -> int:
        """Write the reports that are due, and say how many; they are durable when this returns. Raises SpoolError."""
        by_action: dict[Action, dict[str, Outcome]] = {}
        for to in message.envelope.recipients:
            outcome = outcomes.get(to.address)
            action = self._action(message, to.address, outcome, moment) if outcome else None
            if outcome and action and self._is_due(message, to, action):
                by_action.setdefault(action, {})[to.address] = outcome
        if not by_action:
            return 0
        content = await asyncio.to_thread(_content, message)
        for action, about in by_action.items():
            until = moment.start + timedelta(seconds=self._schedule.give_up) if action is Action.DELAYED else None
            report = Report(action, message.queue_id, message.envelope, about, moment.now, until)
            await self._write(report, content)
        return len(by_action)

    def _action(self, message: Message, address: str, outcome: Outcome, moment: Moment) -> Action | None:
        if outcome.result is Result.FAILED:
            return Action.FAILED
        if outcome.result is Result.DELIVERED:
            return None if outcome.dsn_passed_on else Action.RELAYED
        before = message.status.recipients[address].at
        told_before = before is not None and self._schedule.late((before - moment.start).total_seconds())
        return Action.DELAYED if self._schedule.late(moment.age) and not told_before else None

    def _is_due(self, message: Message, to: Recipient, action: Action) -> bool:
        told = self._told.get(message.queue_id, {}).get(to.address, set())
        return action not in told and wanted(action, message.envelope.sender, to)

    async def _write(self, report: Report, content: bytes) -> None:
        about = report.envelope
        envelope = Envelope(
            sender="",
            recipients=(Recipient(about.sender),),
            arrived=report.at,
            origin=Origin("", "local"),
            smtputf8=about.smtputf8,
            requiretls=about.requiretls,
            notes={REPORT_OF: report.queue_id, "action": report.action, "to": json.dumps(list(report.outcomes))},
        )
        async with self._spool.begin(envelope) as entry:
            entry.write(report.render(self._own_name, entry.queue_id, content))
            await entry.commit()
        # the marks come next; should they fail, nobody is told again
        told = self._told.setdefault(report.queue_id, {})
        for address in report.outcomes:
            told.setdefault(address, set()).add(report.action)


def _content(message: Message) -> bytes:
    """What a report quotes; one that cannot be read is reported on all the same."""
    try:
        return message.read()
    except SpoolError:
        return _NO_CONTENT
