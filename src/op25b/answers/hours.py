"""Whether the provider's desk is open at an instant, and when it opens next (claim N9)."""

from __future__ import annotations

from collections.abc import Container
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from op25b.policy.model import Hours, Provider, Weekday

_WEEK = tuple(Weekday)
_FAR = 400
"""Days to look ahead for the next opening: over a year, for a desk that opens once in it."""


def is_open(provider: Provider, at: datetime) -> bool:
    """Whether the desk is open at `at`, which must carry an offset; a provider without hours says nothing: False."""
    hours, zone = provider.hours, ZoneInfo(provider.time_zone)
    if hours is None:
        return False
    local = at.astimezone(zone)
    return _opens_on(local.date(), hours, provider.country) and hours.opens <= local.time() < hours.closes


def next_opening(provider: Provider, at: datetime) -> datetime | None:
    """The first instant after `at` at which the desk opens, in its own zone; None when there is none in a year."""
    hours, zone = provider.hours, ZoneInfo(provider.time_zone)
    if hours is None:
        return None
    today = at.astimezone(zone).date()
    for ahead in range(_FAR):
        day = today + timedelta(days=ahead)
        opening = datetime.combine(day, hours.opens, zone)
        if opening > at and _opens_on(day, hours, provider.country):
            return opening
    return None


def _opens_on(day: date, hours: Hours, country: str) -> bool:
    return (
        _WEEK[day.weekday()] in hours.days
        and not any(_within(day, span) for span in hours.closed)
        and not (hours.holidays == "closed" and day in _holidays(country))
    )


def _within(day: date, span: str) -> bool:
    """`MM-DD` or `MM-DD/MM-DD`, both ends included; the second may be of the next year."""
    first, _, last = span.partition("/")
    written = f"{day:%m-%d}"
    if last and last < first:
        return written >= first or written <= last
    return first <= written <= (last or first)


@lru_cache(maxsize=8)
def _holidays(country: str) -> Container[date]:
    return holidays.country_holidays(country)
