"""Who is affected: both conditions, the lines with their dates, the ways of use that count, and who is not."""

from __future__ import annotations

from collections.abc import Iterator

from op25b.answers.blocks import Block, Bullets, Definitions, Link, Page, Paragraph, Section, Steps
from op25b.answers.naming import distinct
from op25b.answers.pages.subject import Subject
from op25b.answers.phases import early, not_fixed
from op25b.answers.reasons import second_condition
from op25b.answers.reply import as_mail_program
from op25b.answers.scopes import covered, when
from op25b.answers.situation import Affected, Server, Situation, Uses, answer
from op25b.policy import scope
from op25b.policy.information import OfferKind
from op25b.policy.reasons import Reason


def page(subject: Subject) -> Page:
    """Claims F2, F4, L2, L3, L5, L8, N1, N5, N6, S4, S8."""
    say = subject.say
    sections = (
        Section("conditions", say("Both conditions"), tuple(conditions(subject))),
        Section("lines", say("Covered lines"), tuple(lines(subject))),
        Section("use", say("Ways of use that count"), (ways_of_use(subject),)),
        Section("not-affected", say("Who is not affected"), tuple(not_affected(subject))),
        Section("elsewhere", say("On another provider's line"), elsewhere(subject)),
    )
    return Page("affected", say("Customers who are affected"), sections)


def conditions(subject: Subject) -> Iterator[Block]:
    """Claims L3, F3, S4."""
    say = subject.say
    yield Paragraph(say("Customers who meet both of these conditions are affected."))
    yield Steps((say("You connect over a covered line"), second_condition(subject.policy, say)))
    yield Paragraph(
        say("Customers who meet only one of them, or neither, are not affected and can go on sending mail as before.")
    )
    yield Link(say("How to go on sending mail"), page="avoid")


def lines(subject: Subject) -> Iterator[Block]:
    """Each phase that is not over, or will be: whom it covers, and when."""
    say, at = subject.say, subject.at
    shown = [phase for phase in subject.policy.phases if scope.state(phase, at) is not Reason.ENDED]
    if not shown:
        yield Paragraph(say("{provider} restricts port 25 on no line.", provider=subject.provider))
    for phase in shown:
        yield Definitions((*covered(phase, subject.policy, say), *when(phase, at, say)))
    if any(phase.tentative for phase in shown):
        yield Paragraph(not_fixed(say))
    if subject.coming:
        yield Paragraph(early(say))


def ways_of_use(subject: Subject) -> Block:
    """Claims F4, F5, N7, I8: all of them send on port 25 past the servers that stay open."""
    say = subject.say
    items = [
        say("Sending mail of another provider, through that provider's sending server"),
        say("Sending free mail (of portals and the like) from a mail program"),
        say("Sending mail of a domain of your own that is hosted at another company"),
        say("Running a mail server yourself, at home for example (with dynamic DNS too)"),
    ]
    if not subject.open_hosts:
        own = say("Sending through {provider}'s own sending server with port 25", provider=subject.provider)
        items = [own, *items, say("Using security software that checks sent mail, with the sending port left at 25")]
    return Bullets(tuple(items))


def not_affected(subject: Subject) -> Iterator[Block]:
    """Claims L4, L5, L8, S8, I9, F6; services of the provider by the policy's own answer."""
    say, provider = subject.say, subject.provider
    items = []
    if subject.open_hosts:
        hosts = say.listed(subject.open_hosts)
        items.append(
            say(
                "Customers who send through {provider}'s sending server ({hosts}): they go on as before, on port 25 "
                "too.",
                provider=provider,
                hosts=hosts,
            )
        )
    items.append(say("Customers who send on port 587 or 465 (SMTP over SSL): these ports stay open on every line."))
    if subject.left_out:
        lines = distinct(subject.left_out, subject.policy, say)
        items.append(say("Customers with one of these lines: {lines}", lines=say.listed(lines)))
    items.append(webmail(subject))
    items += [say("Users of {service}", service=name) for name in _services(subject)]
    yield Bullets(tuple(items))
    yield Paragraph(as_mail_program(say))
    yield Paragraph(say("Receiving mail is not restricted, with a mail server of your own either."))
    if subject.policy.exemption_terms.prefix.own_domain and subject.policy.exemption_terms.offered:
        yield Paragraph(company(subject))
        yield Link(say("Exemptions from the restriction"), page="exemptions")


def webmail(subject: Subject) -> str:
    """Claims L8, S8."""
    say = subject.say
    own = [say.pick(offer.name) for offer in subject.policy.information.of(OfferKind.WEBMAIL)]
    if own:
        return say(
            "Users of webmail in a web browser: {service}, and that of other providers and portals",
            service=say.listed(own),
        )
    return say("Users of webmail in a web browser, whoever offers it")


def _services(subject: Subject) -> Iterator[str]:
    """Hosting services that the policy itself leaves alone at this instant."""
    situation = Situation(server=Server.OTHER, uses=Uses.HOSTING)
    if answer(subject.judge, situation, subject.at).affected is Affected.NO:
        for offer in subject.policy.information.of(OfferKind.HOSTING):
            yield subject.say.pick(offer.name)


def company(subject: Subject) -> str:
    """Claim I10."""
    return subject.say(
        "A company that runs its mail server with a domain of its own, on addresses that {provider} has assigned to "
        "it, is exempt on request.",
        provider=subject.provider,
    )


def elsewhere(subject: Subject) -> tuple[Block, ...]:
    """Claims L6, N6."""
    say = subject.say
    return (
        Paragraph(
            say(
                "If you connect through another provider and that provider restricts port 25, you are affected by its "
                "restriction, even when you send through {provider}'s server. Please ask that provider. Port 587 of "
                "{host} can be used in that case too.",
                provider=subject.provider,
                host=subject.host,
            )
        ),
    )
