"""Outages and maintenance, as a visitor reads of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from op25b.answers.pages import Bulletin
from op25b.answers.speech import Speaker
from op25b.rollout import bulletins

_HOLDS = timedelta(seconds=5)


@dataclass(frozen=True)
class Notice:
    """One, in the visitor's language. `on`: it is now, not yet to come."""

    heading: str
    when: str
    text: str
    on: bool


class Notices:
    """The desk's bulletins as the store has them, read again every few seconds."""

    def __init__(self) -> None:
        self._read: tuple[datetime, tuple[Bulletin, ...]] | None = None

    def current(self, connection: Connection, at: datetime) -> tuple[Bulletin, ...]:
        """What the pages tell now, outages first."""
        if self._read is None or not timedelta(0) <= at - self._read[0] < _HOLDS:
            found = bulletins.current(connection, at)
            self._read = at, tuple(Bulletin(each.kind.value, each.text, each.from_, each.until) for each in found)
        return self._read[1]


def shown(told: Iterable[Bulletin], say: Speaker, at: datetime) -> list[Notice]:
    """As boxes at the top of a page."""
    return [_notice(each, say, at) for each in told]


def _notice(bulletin: Bulletin, say: Speaker, at: datetime) -> Notice:
    heading = say("Outage") if bulletin.kind == "outage" else say("Maintenance")
    on = bulletin.from_ <= at
    if bulletin.until is not None:
        when = say.span(bulletin.from_, bulletin.until)
    else:
        start = say.instant(bulletin.from_)
        when = say("Since {start}", start=start) if on else say("From {start}", start=start)
    return Notice(heading, when, say.pick(bulletin.text), on)
