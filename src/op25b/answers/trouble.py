"""Why mail cannot be sent, step by step: five causes in a fixed order (claims S1 to S3).

A pure function from what has been answered so far to the next question, or to a cause with its remedy. A cause that
cannot hold is passed over; the fourth is reached when one to three are ruled out, the fifth when one to four are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from op25b.answers.blocks import Section
from op25b.answers.causes import Cause, blocks, heading
from op25b.answers.naming import distinct
from op25b.answers.pages.subject import Subject
from op25b.answers.reply import reply
from op25b.answers.situation import Affected, Line, Server, Situation, Symptom, Uses, answer
from op25b.policy.intervals import Address
from op25b.policy.model import PopBeforeSmtp
from op25b.policy.verdict import SMTP

ELSEWHERE, UNKNOWN = "elsewhere", "unknown"
SOLVED, ON = "solved", "on"


@dataclass(frozen=True)
class Choice:
    """`value` is what stands for it in the answers."""

    value: str
    text: str


@dataclass(frozen=True)
class Ask:
    """The next question; its answer goes under `key`."""

    key: str
    text: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Step:
    """What to show now. No `cause`: only a question. No `ask`: the end.

    `ruled_out`: causes that were passed over or did not help, in words, in their order.
    """

    ask: Ask | None
    cause: Cause | None = None
    title: str = ""
    sections: tuple[Section, ...] = ()
    ruled_out: tuple[str, ...] = ()


def step(subject: Subject, answers: Mapping[str, str], address: Address | None = None) -> Step:
    """What comes after `answers`; values that are no choice count as not given.

    `address`: the visitor's own, if it is known; then nobody is asked for the line.
    """
    for ask in _asks(subject, address):
        given = answers.get(ask.key)
        if given not in {choice.value for choice in ask.choices}:
            return Step(ask)
        if (ask.key, given) == ("uses", Uses.WEBMAIL.value):
            break
    return _causes(subject, answers, address)


def _asks(subject: Subject, address: Address | None) -> Iterator[Ask]:
    """The questions, in order."""
    say, provider = subject.say, subject.provider
    yield Ask(
        "symptom",
        say("What happens?"),
        (
            Choice(Symptom.SUDDENLY.value, say("I suddenly cannot send mail.")),
            Choice(Symptom.RECEIVES_ONLY.value, say("I can receive mail, but cannot send it.")),
            Choice(Symptom.NO_SUBMISSION.value, say("I have set port 587 and cannot connect.")),
            Choice("neither", say("I can neither send nor receive mail.")),
        ),
    )
    if address is None:
        pools = distinct(subject.policy.pools, subject.policy, say)
        lines = [Choice(pool.name, line) for line, pool in pools.items()]
        outside = Choice(ELSEWHERE, say("Another provider, a company, a school, abroad"))
        yield Ask("line", say("Which line do you use now?"), (*lines, outside, Choice(UNKNOWN, say("I do not know"))))
    yield Ask(
        "uses",
        say("What do you use for sending?"),
        (
            Choice(Uses.MAIL_PROGRAM.value, say("A mail program")),
            Choice(Uses.SECURITY_SOFTWARE.value, say("A mail program, and security software that checks sent mail")),
            Choice(Uses.HOME_SERVER.value, say("A mail server of my own")),
            Choice(Uses.WEBMAIL.value, say("Webmail in a web browser")),
        ),
    )
    yield Ask(
        "server",
        say("Which sending server is set?"),
        (
            Choice(Server.OWN.value, say("{provider}'s ({host})", provider=provider, host=subject.host)),
            Choice(Server.OTHER.value, say("Another one")),
        ),
    )
    yield Ask(
        "port",
        say("Which sending port is set?"),
        (
            Choice("25", say("25, or I do not know")),
            Choice("587", "587"),
            Choice("465", "465"),
        ),
    )


def situation(answers: Mapping[str, str], address: Address | None) -> Situation:
    """The situation that the answers tell of."""
    symptoms = {symptom.value: symptom for symptom in Symptom}
    return Situation(
        address if address is not None else _line(answers["line"]),
        Server(answers.get("server", Server.OTHER)),
        int(answers.get("port", SMTP)),
        Uses(answers["uses"]),
        symptoms.get(answers["symptom"]),
    )


def _line(said: str) -> Line | None:
    if said == ELSEWHERE:
        return None
    return Line() if said == UNKNOWN else Line(pool=said)


def _causes(subject: Subject, answers: Mapping[str, str], address: Address | None) -> Step:
    """The first cause that may hold and has not been found useless, with those before it as ruled out."""
    say = subject.say
    ruled_out: list[str] = []
    for cause in Cause:
        key = f"cause-{cause}"
        if cause is Cause.OUTAGE:
            return Step(None, cause, heading(cause, subject), _sections(cause, subject), tuple(ruled_out))
        sections = _holding(cause, subject, answers, address)
        if sections and answers.get(key) == SOLVED:
            return Step(None, title=say("We are glad that you can send mail again."))
        if not sections or answers.get(key) == ON:
            ruled_out.append(heading(cause, subject))
            continue
        choices = (Choice(SOLVED, say("Yes")), Choice(ON, say("No, go on to the next cause")))
        ask = Ask(key, say("Can you send mail now?"), choices)
        return Step(ask, cause, heading(cause, subject), sections, tuple(ruled_out))
    raise AssertionError("the last cause is always reached")


def _holding(
    cause: Cause, subject: Subject, answers: Mapping[str, str], address: Address | None
) -> tuple[Section, ...]:
    """What to say of a cause that may hold in this situation; nothing if it cannot."""
    asked = situation(answers, address)
    told = answer(subject.judge, asked, subject.at)
    if asked.uses is Uses.WEBMAIL:
        return ()  # nothing is set there
    if cause is Cause.WRONG_SETTING:
        firewall = asked.symptom is Symptom.NO_SUBMISSION
        nearer = [each for each in reply(told, subject.policy, subject.say) if each.key == "do"] if firewall else []
        return (*nearer, *_sections(cause, subject))
    if answers["symptom"] == "neither":
        return ()  # one to three concern sending alone
    outside = all(case.source.pool < 0 and case.source.server < 0 for case in told.cases)
    if cause is Cause.OWN_BLOCK and not outside and told.affected in (Affected.YES, Affected.DEPENDS):
        return reply(told, subject.policy, subject.say)
    if cause is Cause.OTHER_BLOCK and outside and told.affected is Affected.DEPENDS:
        return _sections(cause, subject)
    if cause is Cause.FROM_OUTSIDE and outside and _checked(subject, asked):
        return _sections(cause, subject)
    return ()


def _checked(subject: Subject, asked: Situation) -> bool:
    """Whether the provider's server asks more of who sends from outside: on 25 mail that was read, or SMTP AUTH."""
    if asked.server is not Server.OWN or asked.uses is Uses.WEBMAIL:
        return False
    return asked.port == SMTP or subject.policy.submission.pop_before_smtp is PopBeforeSmtp.REFUSED


def _sections(cause: Cause, subject: Subject) -> tuple[Section, ...]:
    return (Section(f"cause-{cause}", heading(cause, subject), blocks(cause, subject)),)
