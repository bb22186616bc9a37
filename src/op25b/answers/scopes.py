"""Whom a phase covers and when, as pairs of words: the scope as the policy file has it, in a customer's terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from op25b.answers.naming import names
from op25b.answers.phases import days
from op25b.answers.speech import Speaker
from op25b.policy import scope
from op25b.policy.model import Assignment, Mode, Phase, Policy
from op25b.policy.reasons import Reason

Pairs = Iterator[tuple[str, str]]


def covered(phase: Phase, policy: Policy, say: Speaker) -> Pairs:
    """Every key of the scope as a pair; a key that only another phase has is said too, as `all` (claims L2, F2, N5)."""
    wanted, said = phase.scope, [each.scope for each in policy.phases]
    if wanted.lines or wanted.not_lines:
        yield say("Lines"), _which(wanted.lines, wanted.not_lines, policy, say)
    elif wanted.assignments or not (wanted.pools or wanted.not_pools):
        inside = [pool.line for pool in policy.pools if pool.line and scope.first_miss(wanted, pool) is None]
        yield say("Lines"), names(inside, policy, say) or say("all lines")
    if wanted.pools or wanted.not_pools:
        yield say("Networks"), _which(wanted.pools, wanted.not_pools, policy, say)
    if any(each.regions or each.not_regions for each in said):
        yield say("Regions"), _which(wanted.regions, wanted.not_regions, policy, say)
    if wanted.assignments:
        kinds = {Assignment.DYNAMIC: say("dynamic IP address"), Assignment.STATIC: say("fixed IP address")}
        yield say("IP address"), say.listed(kinds[each] for each in wanted.assignments)
    if wanted.contracts or wanted.not_contracts:
        yield say("Contracts"), _which(wanted.contracts, wanted.not_contracts, policy, say)


def _which(wanted: Sequence[str] | None, unwanted: Sequence[str], policy: Policy, say: Speaker) -> str:
    if wanted is not None:
        return names([word for word in wanted if word not in unwanted], policy, say)
    return say("all except {words}", words=names(unwanted, policy, say)) if unwanted else say("all of them")


def when(phase: Phase, at: datetime, say: Speaker) -> Pairs:
    """What the phase does at the instant `at`, when it begins or ends, and until when to change the settings."""
    state = scope.state(phase, at)
    yield say("State"), _state(phase, state, say)
    if phase.until is not None and state is not Reason.ENDED:
        yield say("Ends"), say.start(phase.until)
    period = phase.settings_period
    if period is not None and at < period.until:
        first, last = days(period, say)
        yield say("Time to change settings"), say("{first} to {last}", first=first, last=last)


def _state(phase: Phase, state: Reason, say: Speaker) -> str:
    match state:
        case Reason.COVERED if phase.from_ is not None:
            return say("restricted since {start}", start=say.start(phase.from_))
        case Reason.COVERED:
            return say("restricted now")
        case Reason.MONITORED:
            return say("not restricted; attempts are counted")
        case Reason.ANNOUNCED if phase.tentative and phase.expected is not None:
            expected = say.pick(phase.expected)
            return say("not restricted yet; expected: {expected} (the date is not fixed yet)", expected=expected)
        case Reason.NOT_YET if phase.from_ is not None and phase.mode is Mode.ENFORCE:
            return say("not restricted yet; from {start}", start=say.start(phase.from_))
        case Reason.ENDED if phase.until is not None:
            return say("ended on {until}", until=say.start(phase.until))
        case _:
            return say("announced; not restricted yet")
