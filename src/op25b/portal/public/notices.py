"""Outages and maintenance, as a visitor reads of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from op25b.portal.public.site import Visit
from op25b.rollout import bulletins
from op25b.rollout.bulletins import Bulletin, Kind


@dataclass(frozen=True)
class Notice:
    """One, in the visitor's language. `on`: it is now, not yet to come."""

    heading: str
    when: str
    text: str
    on: bool


def current(connection: Connection, visit: Visit) -> list[Notice]:
    """What the pages tell now, outages first."""
    return [_notice(each, visit) for each in bulletins.current(connection, visit.at)]


def _notice(bulletin: Bulletin, visit: Visit) -> Notice:
    say = visit.say
    heading = say("Outage") if bulletin.kind is Kind.OUTAGE else say("Maintenance")
    start = say.instant(bulletin.from_)
    if bulletin.until is not None:
        when = say("{start} to {end}", start=start, end=say.instant(bulletin.until))
    else:
        when = say("Since {start}", start=start) if bulletin.holds(visit.at) else say("From {start}", start=start)
    return Notice(heading, when, say.pick(bulletin.text), bulletin.holds(visit.at))
