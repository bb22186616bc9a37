"""What a phase does to a line at an instant, in words: since when or from when, and what to do in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from op25b.answers.speech import Speaker
from op25b.policy.model import Mode, Period, Phase


def since(phase: Phase, provider: str, say: Speaker) -> str:
    """For a phase that blocks: that it does, and since when."""
    if phase.from_ is None:
        return say("{provider} restricts sending on port 25 from this line.", provider=provider)
    start = say.start(phase.from_)
    return say("Since {start}, {provider} restricts sending on port 25 from this line.", start=start, provider=provider)


def monitored(phase: Phase, at: datetime, provider: str, say: Speaker) -> list[str]:
    """For a phase that only counts."""
    message = say(
        "Sending on port 25 from this line still works; {provider} only counts such attempts.", provider=provider
    )
    return [message, *in_time(phase, at, say)]


def announced(phase: Phase, at: datetime, provider: str, say: Speaker) -> list[str]:
    """For a phase that is announced, tentative or not (claim N2)."""
    if not phase.tentative:
        message = say(
            "{provider} has announced a restriction of port 25; nothing is restricted yet.", provider=provider
        )
        return [message, *in_time(phase, at, say)]
    if phase.expected is None:
        message = say("Port 25 is going to be restricted on this line.")
    else:
        expected = say.pick(phase.expected)
        message = say("Port 25 is going to be restricted on this line (expected: {expected}).", expected=expected)
    return [message, not_fixed(say), *in_time(phase, at, say)]


def not_fixed(say: Speaker) -> str:
    return say("The date is not fixed yet; another notice tells it as soon as it is.")


def not_yet(phase: Phase, at: datetime, provider: str, say: Speaker) -> list[str]:
    """For a phase that begins later."""
    assert phase.from_ is not None
    start = say.start(phase.from_)
    if phase.mode is Mode.ENFORCE:
        message = say(
            "From {start}, {provider} restricts sending on port 25 from this line.", start=start, provider=provider
        )
        return [message, say("Until then it works as before."), *in_time(phase, at, say)]
    message = say(
        "{provider} prepares a restriction of port 25 on this line, from {start}.", start=start, provider=provider
    )
    return [message, say("Nothing is restricted on this line yet."), *in_time(phase, at, say)]


def ended(phase: Phase, say: Speaker) -> list[str]:
    """For a phase that is over."""
    assert phase.until is not None
    until = say.start(phase.until)
    return [say("The restriction of port 25 on this line ended on {until}; sending works again.", until=until)]


def in_time(phase: Phase, at: datetime, say: Speaker) -> list[str]:
    """Claims N3, N4, I2: when to change the settings, and that it may be done early."""
    period = phase.settings_period
    if period is None or at >= period.until:
        return [early(say)]
    first, last = days(period, say)
    return [say("Please change your settings between {first} and {last}.", first=first, last=last), early(say)]


def early(say: Speaker) -> str:
    return say("The settings may be changed now: the new ones work before the restriction as well as after it.")


def days(period: Period, say: Speaker) -> tuple[str, str]:
    """The first and the last day of a period, both within it."""
    last = (period.until - timedelta(microseconds=1)).astimezone(say.zone)
    return say.day(period.from_.astimezone(say.zone)), say.day(last)
