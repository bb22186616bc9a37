"""What still stands between a phase and its start, of what can be known: its date, its notices, its people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

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


def waits_for(phase: Phase, tallies: Mapping[str, Tally], at: datetime) -> Iterator[str]:
    """For the operator, in English; nothing for a phase that is in force, over, or only counts."""
    state = scope.state(phase, at)
    if state in (Reason.COVERED, Reason.MONITORED, Reason.ENDED) or phase.mode is Mode.MONITOR:
        return
    if phase.tentative:
        yield "its date: write from, and take out tentative"
    elif phase.mode is Mode.ANNOUNCE:
        yield 'mode = "enforce": it is announced only'
    elif phase.from_ is not None:
        yield f"its start at {phase.from_.isoformat()}"
    notice = due(phase, at)
    if notice is not None and notice.name not in tallies:
        yield f"the notice {notice.name}, which nobody got yet"
    known = {each.notice.name for each in calendar(phase) if each.notice.stage is not Stage.IN_FORCE}
    for name, tally in tallies.items():
        if name not in known:
            continue  # of another date, or from before the date was fixed
        if unsent := tally.mail - tally.taken - tally.refused:
            yield f"the notice {name}: {unsent} mails that are not sent"
        if tally.waiting:
            yield f"the notice {name}: {tally.waiting} mails on their way"
        if tally.to_print:
            yield f"the notice {name}: {tally.to_print} people whom mail does not reach"
