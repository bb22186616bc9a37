"""The five causes for which mail cannot be sent, in their order, in words (claims S2, S3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum

from op25b.answers.blocks import Block, Bullets, Definitions, Link, Paragraph
from op25b.answers.pages.avoid import settings
from op25b.answers.pages.subject import Bulletin, Subject
from op25b.answers.reasons import who
from op25b.answers.remedies import subdomain
from op25b.answers.reply import pop_first, security_software
from op25b.answers.speech import Speaker
from op25b.policy.model import PopBeforeSmtp


class Cause(IntEnum):
    """In the order in which they are looked into."""

    OWN_BLOCK = 1
    OTHER_BLOCK = 2
    FROM_OUTSIDE = 3
    WRONG_SETTING = 4
    OUTAGE = 5


def heading(cause: Cause, subject: Subject) -> str:
    """What the cause is called."""
    say, provider = subject.say, subject.provider
    match cause:
        case Cause.OWN_BLOCK:
            return say("Cause 1: {provider}'s own OP25B", provider=provider)
        case Cause.OTHER_BLOCK:
            return say("Cause 2: OP25B of the other provider whose line you use")
        case Cause.FROM_OUTSIDE:
            return say("Cause 3: the condition for sending from outside {provider}'s network", provider=provider)
        case Cause.WRONG_SETTING:
            return say("Cause 4: a wrong setting in the mail program")
        case Cause.OUTAGE:
            return say("Cause 5: an outage or maintenance")


def blocks(cause: Cause, subject: Subject) -> tuple[Block, ...]:
    """What the cause is, and what to do about it."""
    return tuple(_BLOCKS[cause](subject))


def _own_block(subject: Subject) -> Iterator[Block]:
    say = subject.say
    yield Paragraph(
        say("{provider} restricts sending on port 25 from certain lines.", provider=subject.provider)
        if subject.left_out
        else say("{provider} restricts sending on port 25 from its lines.", provider=subject.provider)
    )
    yield Paragraph(who(subject.policy, say))
    yield Link(say("Customers who are affected"), page="affected")
    yield Link(say("How to go on sending mail"), page="avoid")


def _other_block(subject: Subject) -> Iterator[Block]:
    say = subject.say
    yield Paragraph(
        say(
            "When you connect through another provider and send through {provider}'s sending server, that provider may "
            "restrict port 25. Please ask that provider.",
            provider=subject.provider,
        )
    )
    yield Paragraph(
        say("With port 587 of {host} and SMTP AUTH you can send from there too.", host=subject.host),
    )
    if subject.server is not None and subject.server.submission_since is not None:
        yield Paragraph(say("Port 587 has been offered since {since}.", since=say.day(subject.server.submission_since)))
    yield Link(say("How to go on sending mail"), page="avoid", section="own-server")


def _from_outside(subject: Subject) -> Iterator[Block]:
    """Claims S6, I13."""
    say, provider = subject.say, subject.provider
    yield Paragraph(
        say(
            "From another provider, a company, a school or abroad, {provider}'s sending server checks who is sending, "
            "so that it cannot be misused by others.",
            provider=provider,
        )
    )
    match subject.policy.submission.pop_before_smtp:
        case PopBeforeSmtp.REQUIRED:
            yield Paragraph(say.paragraph(pop_first(subject.policy, say)))
        case PopBeforeSmtp.ACCEPTED:
            yield Paragraph(
                say(
                    "Please turn on SMTP AUTH, or receive mail within {minutes} minutes before you send (POP before "
                    "SMTP).",
                    minutes=str(subject.policy.submission.pop_minutes),
                )
            )
        case PopBeforeSmtp.REFUSED:
            yield Paragraph(no_pop_before_smtp(say))
    yield Link(say("How to go on sending mail"), page="avoid", section="own-server")


def no_pop_before_smtp(say: Speaker) -> str:
    """Claim I13."""
    return say("SMTP AUTH is required. POP before SMTP is not accepted, on port 587 either.")


def _wrong_setting(subject: Subject) -> Iterator[Block]:
    say = subject.say
    yield Paragraph(say("When causes 1 to 3 are ruled out, please check the settings of your mail program."))
    yield Paragraph(
        say(
            "With {provider}'s sending server they are as follows. With another one, please see the guide of its "
            "operator.",
            provider=subject.provider,
        )
    )
    yield Bullets(
        (
            say("Sending server (SMTP): {host}", host=subject.host),
            say("Sending port: 587 with STARTTLS, or 465 with SMTP over SSL"),
            say("SMTP AUTH is on, and user name and password are right, capitals and small letters too."),
            say("The sender address is your own mail address."),
            security_software(say),
        )
    )
    if subject.server is not None:
        yield from map(Paragraph, subdomain(subject.server, say))
    yield settings(subject)
    yield Link(say("Settings of your mail program, step by step"), page="setup")


def _outage(subject: Subject) -> Iterator[Block]:
    say = subject.say
    yield Paragraph(say("When causes 1 to 4 are ruled out, there may be an outage of a line or a service."))
    if subject.bulletins:
        yield Paragraph(say("Outages and maintenance:"))
        yield Definitions(tuple((_title(each, say), say.pick(each.text)) for each in subject.bulletins))
    else:
        yield Paragraph(say("At present we know of no outage and no maintenance."))
    yield Link(say("Contacts and opening hours"), page="contact")


def _title(bulletin: Bulletin, say: Speaker) -> str:
    """Its kind and its time."""
    if bulletin.until is None:
        start = say.instant(bulletin.from_)
        if bulletin.kind == "outage":
            return say("Outage, since {start}", start=start)
        return say("Maintenance, from {start}", start=start)
    span = say.span(bulletin.from_, bulletin.until)
    if bulletin.kind == "outage":
        return say("Outage, {span}", span=span)
    return say("Maintenance, {span}", span=span)


_BLOCKS: dict[Cause, Callable[[Subject], Iterator[Block]]] = {
    Cause.OWN_BLOCK: _own_block,
    Cause.OTHER_BLOCK: _other_block,
    Cause.FROM_OUTSIDE: _from_outside,
    Cause.WRONG_SETTING: _wrong_setting,
    Cause.OUTAGE: _outage,
}
