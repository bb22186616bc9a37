"""Why can't I send? The five causes in their order (claim S2), and what is known of each in a visitor's situation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from op25b.answers.situation import Affected, Answer
from op25b.answers.speech import Speaker
from op25b.policy.model import Policy, PopBeforeSmtp
from op25b.policy.reasons import Reason
from op25b.policy.verdict import SUBMISSION
from op25b.portal.public.notices import Notice


class State(StrEnum):
    """What becomes of a cause: it is this one, it may be, or it is ruled out."""

    FOUND = "found"
    POSSIBLE = "possible"
    NO = "no"


@dataclass(frozen=True)
class Cause:
    """One of the five. `key` is the anchor of what the page says of it to everybody."""

    key: str
    heading: str
    state: State
    text: str


def causes(answer: Answer, policy: Policy, notices: Sequence[Notice], say: Speaker) -> list[Cause]:
    """All five, in the order in which to look at them."""
    provider = say.pick(policy.provider.display)
    return [
        Cause("op25b", say("The restriction of port 25 by {provider}", provider=provider), *_own(answer, say)),
        Cause(
            "others-op25b",
            say("The restriction of another provider whose line you use"),
            *_others(answer, provider, say),
        ),
        Cause("from-outside", say("Receiving mail before sending, from outside"), *_outside(answer, policy, say)),
        Cause("settings", say("A setting in the mail program"), *_settings(answer, say)),
        Cause("outage", say("An outage or maintenance"), *_outage(notices, say)),
    ]


def _own(answer: Answer, say: Speaker) -> tuple[State, str]:
    match answer.affected:
        case Affected.YES:
            return State.FOUND, say("This is why: what you described is restricted. See above what to do.")
        case Affected.LATER:
            return State.NO, say("Not yet, so this is not the reason today; but it is going to be. See above.")
        case Affected.DEPENDS if not _elsewhere(answer):
            return State.POSSIBLE, say("This may be it, depending on your line and your sending server. See above.")
        case _:
            return State.NO, say("What you described is not restricted by us.")


def _others(answer: Answer, provider: str, say: Speaker) -> tuple[State, str]:
    if not _elsewhere(answer):
        return State.NO, say(
            "You send from a line of {provider}, so another provider's rules do not matter.", provider=provider
        )
    if answer.situation.port in SUBMISSION:
        return State.POSSIBLE, say(
            "Providers leave this port open, but a company's or a school's network may close it."
        )
    return State.POSSIBLE, say("The provider of that line may restrict port 25. Please set port 587, or ask there.")


def _outside(answer: Answer, policy: Policy, say: Speaker) -> tuple[State, str]:
    if policy.submission.pop_before_smtp is PopBeforeSmtp.REFUSED:
        return State.NO, say("Our servers do not ask for this: they ask for SMTP AUTH.")
    if not _elsewhere(answer):
        return State.NO, say("This counts only when you send from outside our network.")
    if not answer.read_mail_first:
        return State.NO, say("This counts only for port 25 of our sending server, which you do not use.")
    return State.POSSIBLE, say(
        "Our sending server takes mail on port 25 from outside only soon after you received mail."
    )


def _settings(answer: Answer, say: Speaker) -> tuple[State, str]:
    return State.POSSIBLE, say("Please compare the settings, and let us check the sending server below.")


def _outage(notices: Sequence[Notice], say: Speaker) -> tuple[State, str]:
    if any(notice.on for notice in notices):
        return State.POSSIBLE, say("There is one at the moment: it stands at the top of this page.")
    return State.NO, say("We know of none at the moment.")


def _elsewhere(answer: Answer) -> bool:
    return all(case.verdict.reason is Reason.NOT_A_CUSTOMER or case.source.pool < 0 for case in answer.cases)
