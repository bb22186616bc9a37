"""Which notice of a phase is due at an instant. Pure.

A phase whose date is tentative has one notice, which promises another (claim N2). Once the date is fixed there are the
notice of the date, reminders before customers should be done, and a notice that the restriction is in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from op25b.policy.model import Mode, Phase


class Stage(StrEnum):
    TENTATIVE = "tentative"
    DATE = "date"
    REMINDER = "reminder"
    IN_FORCE = "in-force"


@dataclass(frozen=True)
class Notice:
    """A notice of a phase. `start`: the date that it tells; `days`: of a reminder, how long before the end it comes."""

    stage: Stage
    start: datetime | None = None
    days: int | None = None

    @property
    def name(self) -> str:
        """Under which it is remembered who got it: with another date it is another notice."""
        stage = self.stage if self.days is None else f"{self.stage}-{self.days}"
        return stage if self.start is None else f"{stage}@{self.start.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


@dataclass(frozen=True)
class Planned:
    """A notice and from when on it is due; None: as soon as the policy says so."""

    notice: Notice
    from_: datetime | None = None


def calendar(phase: Phase) -> tuple[Planned, ...]:
    """Every notice of a phase, in order; each is due until the next is. None for a phase that only counts."""
    if phase.mode is Mode.MONITOR:
        return ()
    if phase.tentative or phase.mode is Mode.ANNOUNCE:
        return (Planned(Notice(Stage.TENTATIVE)),)
    if phase.from_ is None:
        return (Planned(Notice(Stage.IN_FORCE)),)
    start = phase.from_
    end = min(phase.settings_period.until, start) if phase.settings_period else start
    reminders = [
        Planned(Notice(Stage.REMINDER, start, days), end - timedelta(days=days))
        for days in sorted(phase.remind_days, reverse=True)
    ]
    return (Planned(Notice(Stage.DATE, start)), *reminders, Planned(Notice(Stage.IN_FORCE, start), start))


def due(phase: Phase, at: datetime) -> Notice | None:
    """The notice that whoever got none yet should get at this instant; None: none, or the phase is over."""
    if phase.until is not None and at >= phase.until:
        return None
    found = [each.notice for each in calendar(phase) if each.from_ is None or each.from_ <= at]
    return found[-1] if found else None


def of_stage(phase: Phase, stage: Stage, at: datetime) -> Notice | None:
    """The notice of a stage, due or not; of several reminders the one that is nearest. None: the phase has none."""
    found = [each for each in calendar(phase) if each.notice.stage is stage]
    begun = [each for each in found if each.from_ is None or each.from_ <= at]
    return begun[-1].notice if begun else found[0].notice if found else None
