"""Outages and maintenance, as a visitor reads of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from op25b.answers.pages import Bulletin
from op25b.portal.public.site import Visit
from op25b.rollout import bulletins


@dataclass(frozen=True)
class Notice:
    """One, in the visitor's language. `on`: it is now, not yet to come."""

    heading: str
    when: str
    text: str
    on: bool


def current(connection: Connection, visit: Visit) -> tuple[Bulletin, ...]:
    """What the pages tell now, outages first."""
    found = bulletins.current(connection, visit.at)
    return tuple(Bulletin(each.kind.value, each.text, each.from_, each.until) for each in found)


def shown(told: Iterable[Bulletin], visit: Visit) -> list[Notice]:
    """As boxes at the top of a page."""
    return [_notice(each, visit) for each in told]


def _notice(bulletin: Bulletin, visit: Visit) -> Notice:
    say = visit.say
    heading = say("Outage") if bulletin.kind == "outage" else say("Maintenance")
    on, start = bulletin.from_ <= visit.at, say.instant(bulletin.from_)
    if bulletin.until is not None:
        when = say("{start} to {end}", start=start, end=say.instant(bulletin.until))
    else:
        when = say("Since {start}", start=start) if on else say("From {start}", start=start)
    return Notice(heading, when, say.pick(bulletin.text), on)
