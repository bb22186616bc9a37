"""How long ago something was, in words."""

from __future__ import annotations

from datetime import timedelta

from op25b.answers.speech import Speaker

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def ago(passed: timedelta, say: Speaker) -> str:
    """In minutes up to an hour, in hours up to two days, then in days; what is to come is just now."""
    if passed < _MINUTE:
        return say("less than a minute ago")
    if passed < 2 * _MINUTE:
        return say("1 minute ago")
    if passed < _HOUR:
        return say("{count} minutes ago", count=str(passed // _MINUTE))
    if passed < 2 * _HOUR:
        return say("1 hour ago")
    if passed < 2 * _DAY:
        return say("{count} hours ago", count=str(passed // _HOUR))
    return say("{count} days ago", count=str(passed // _DAY))
