"""The ways to reach the provider, with hours, and whether the desk is open now (claim N9)."""

from __future__ import annotations

import re
from datetime import datetime

from op25b.answers.blocks import Contacts, ContactWay
from op25b.answers.hours import is_open, next_opening
from op25b.answers.speech import Speaker, clock, mark
from op25b.policy.model import Contact, ContactKind, Hours, Provider, Weekday

_LABELS = {
    ContactKind.TELEPHONE: mark("Telephone"),
    ContactKind.FAX: mark("Fax"),
    ContactKind.MAIL: mark("E-mail"),
    ContactKind.WEB: mark("Web"),
}
_WEEKDAYS = {
    Weekday.MON: mark("Monday"),
    Weekday.TUE: mark("Tuesday"),
    Weekday.WED: mark("Wednesday"),
    Weekday.THU: mark("Thursday"),
    Weekday.FRI: mark("Friday"),
    Weekday.SAT: mark("Saturday"),
    Weekday.SUN: mark("Sunday"),
}
_WORKING = tuple(Weekday)[:5]


def contacts(provider: Provider, at: datetime, say: Speaker) -> Contacts:
    """All ways, as they stand at the instant `at`."""
    ways = tuple(_way(contact, provider.hours is not None, say) for contact in provider.contacts)
    if provider.hours is None:
        return Contacts(ways)
    return Contacts(ways, hours_in_words(provider.hours, say), now_in_words(provider, at, say))


def _way(contact: Contact, has_hours: bool, say: Speaker) -> ContactWay:
    if contact.taken == "hours" and has_hours:
        taken = say("during office hours")
    elif has_hours and contact.kind is not ContactKind.WEB:
        taken = say("taken 24 hours a day; answered during office hours")
    else:
        taken = say("24 hours a day")
    return ContactWay(contact.kind, say(_LABELS[contact.kind]), contact.address, taken, _href(contact))


def _href(contact: Contact) -> str:
    match contact.kind:
        case ContactKind.TELEPHONE:
            return "tel:" + re.sub(r"[^0-9+]", "", contact.address)
        case ContactKind.MAIL:
            return f"mailto:{contact.address}"
        case ContactKind.WEB:
            return contact.address
        case ContactKind.FAX:
            return ""


def hours_in_words(hours: Hours, say: Speaker) -> str:
    """Days and times, and when the desk is closed besides."""
    opens, closes = clock(hours.opens), clock(hours.closes)
    if hours.days == _WORKING:
        when = say("Weekdays, {opens} to {closes}", opens=opens, closes=closes)
    elif len(set(hours.days)) == len(Weekday):
        when = say("Every day, {opens} to {closes}", opens=opens, closes=closes)
    else:
        days = say.listed(say(_WEEKDAYS[day]) for day in hours.days)
        when = say("{days}, {opens} to {closes}", days=days, opens=opens, closes=closes)
    closed = [say("public holidays")] if hours.holidays == "closed" else []
    closed += [_span(span, say) for span in hours.closed]
    if not closed:
        return when
    return say("{when} (closed: {closed})", when=when, closed=say.listed(closed))


def _span(span: str, say: Speaker) -> str:
    first, _, last = span.partition("/")
    if not last:
        return _day(first, say)
    return say("{first} to {last}", first=_day(first, say), last=_day(last, say))


def _day(written: str, say: Speaker) -> str:
    month, day = map(int, written.split("-"))
    return say.day_of_year(month, day)


def now_in_words(provider: Provider, at: datetime, say: Speaker) -> str:
    """Whether the desk is open at `at`; closed, when it opens next. Only for a provider with hours."""
    assert provider.hours is not None
    if is_open(provider, at):
        return say("The desk is open now, until {closes} today.", closes=clock(provider.hours.closes))
    opening = next_opening(provider, at)
    if opening is None:
        return say("The desk is closed now.")
    return say("The desk is closed now. It opens next on {opening}.", opening=say.instant(opening))
