"""What still stands between a phase and its start, of what can be known: its date, its notices, its people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from op25b.answers.speech import mark
from op25b.policy import scope
from op25b.policy.model import Mode, Phase
from op25b.policy.reasons import Reason
from op25b.rollout.stages import Stage, calendar, due


@dataclass(frozen=True)
class Tally:
    """How many of a notice. `taken`: the sending server has it; the five after it say what came of those."""

    people: int
    mail: int
    taken: int
    waiting: int
    delivered: int
    bounced: int
    in_doubt: int
    refused: int
    to_print: int
    printed: int


class Wait(NamedTuple):
    """What a phase waits for. As text it is in English, for the operator; the desks say it in either language."""

    message: str
    values: Mapping[str, str | int | datetime] = {}

    def __str__(self) -> str:
        shown = {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in self.values.items()
        }
        return self.message.format(**shown)


def waits_for(phase: Phase, tallies: Mapping[str, Tally], at: datetime) -> Iterator[Wait]:
    """Nothing for a phase that is in force, over, or only counts."""
    state = scope.state(phase, at)
    if state in (Reason.COVERED, Reason.MONITORED, Reason.ENDED) or phase.mode is Mode.MONITOR:
        return
    if phase.tentative:
        yield Wait(mark("its date: write from, and take out tentative"))
    elif phase.mode is Mode.ANNOUNCE:
        yield Wait(mark('mode = "enforce": it is announced only'))
    elif phase.from_ is not None:
        yield Wait(mark("its start at {start}"), {"start": phase.from_})
    notice = due(phase, at)
    if notice is not None and notice.name not in tallies:
        yield Wait(mark("the notice {notice}, which nobody got yet"), {"notice": notice.name})
    known = {each.notice.name for each in calendar(phase) if each.notice.stage is not Stage.IN_FORCE}
    for name, tally in tallies.items():
        if name not in known:
            continue  # of another date, or from before the date was fixed
        if unsent := tally.mail - tally.taken - tally.refused:
            yield _left(mark("the notice {notice}: {number} mails that are not sent"), name, unsent)
        if tally.waiting:
            yield _left(mark("the notice {notice}: {number} mails on their way"), name, tally.waiting)
        if tally.to_print:
            yield _left(mark("the notice {notice}: {number} people whom mail does not reach"), name, tally.to_print)


def _left(message: str, name: str, number: int) -> Wait:
    return Wait(message, {"notice": name, "number": number})
