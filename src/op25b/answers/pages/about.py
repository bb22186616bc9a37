"""What the block is: the word, a picture, the reasons, what it does and does not do against junk mail."""

from __future__ import annotations

from collections.abc import Iterable

from op25b.answers.blocks import Block, Bullets, Link, Page, Paragraph, Section
from op25b.answers.pages.picture import picture
from op25b.answers.pages.subject import Subject
from op25b.answers.speech import Speaker, mark
from op25b.policy.information import JunkMail, Offer, OfferKind, Purpose

_REASONS = {
    Purpose.BYPASS: mark(
        "Virus mail, phishing mail and junk mail are sent in bulk straight from customers' computers, past the "
        "providers' mail servers."
    ),
    Purpose.TOGETHER: mark(
        "Providers take this measure together, so that the Internet as a whole becomes safer to use."
    ),
    Purpose.SEPARATE_PORTS: mark(
        "Sending by a user and delivery between servers are different things and should not share one port and one "
        "procedure. More and more receiving servers accept mail only from servers that are known."
    ),
}
_MERITS = {
    Purpose.ANONYMOUS_BULK: mark("It stops people from sending junk mail in bulk anonymously."),
    Purpose.UNKNOWING_SENDER: mark(
        "It keeps customers whose computer is infected or remotely controlled from sending virus mail or bulk mail "
        "without knowing it."
    ),
    Purpose.LEAKS: mark(
        "Even if a computer is broken into or infected, mass mail is held back, and with it the leak of confidential "
        "or personal data that such mail may carry."
    ),
}


def page(subject: Subject) -> Page:
    """Claims F1, F8, F9, I3, I4, L11, L12, S9, S11."""
    say = subject.say
    sections = [
        Section("definition", say("What OP25B is"), tuple(_definition(subject))),
        Section("reasons", say("Why we do this"), _chosen(subject, _REASONS)),
        Section("merits", say("Benefits"), _chosen(subject, _MERITS)),
        Section("junk-mail", say("Will there be less junk mail?"), tuple(junk_mail(subject))),
        Section("jeag", say("About JEAG"), _jeag(subject)),
        Section("more", say("Related pages"), links(say)),
    ]
    title = say("What Outbound Port 25 Blocking (OP25B) is")
    return Page("about", title, tuple(section for section in sections if section.blocks))


def _definition(subject: Subject) -> Iterable[Block]:
    say = subject.say
    yield Paragraph(definition(subject))
    yield Paragraph(reading(say))
    yield Paragraph(
        say(
            "A port is a number by which computers tell what a connection is for. Port 25 is the one on which mail "
            "servers receive mail from each other. Most junk mail and virus mail is sent from computers straight to "
            "port 25 of the recipients' mail servers; closing that way out stops it."
        )
    )
    yield picture(subject)
    yield Paragraph(
        say("Receiving mail, looking at web pages and everything else that does not use port 25 works as before.")
    )


def definition(subject: Subject) -> str:
    """What is cut, in a sentence; where none of the provider's servers stays open on 25, the way that does."""
    if subject.open_hosts:
        return subject.say(
            "Outbound Port 25 Blocking (OP25B) cuts connections from a customer's line out to port 25 of mail servers "
            "other than those that {provider} provides, so that mail cannot be sent past them.",
            provider=subject.provider,
        )
    return subject.say(
        "Outbound Port 25 Blocking (OP25B) cuts connections from a customer's line out to port 25 of mail servers, so "
        "that mail cannot be sent past the provider's sending server. That of {provider} takes mail on port 587.",
        provider=subject.provider,
    )


def reading(say: Speaker) -> str:
    return say('OP25B is short for "Outbound Port 25 Blocking" and is read "O-P-twenty-five-B".')


def _chosen(subject: Subject, sentences: dict[Purpose, str]) -> tuple[Block, ...]:
    items = tuple(subject.say(sentences[each]) for each in subject.policy.information.reasons if each in sentences)
    return (Bullets(items),) if items else ()


def reasons(subject: Subject) -> tuple[Block, ...]:
    """Reasons and merits in the policy's order, each a sentence."""
    return _chosen(subject, _REASONS | _MERITS)


def junk_mail(subject: Subject) -> Iterable[Block]:
    """The honest word (claims L12, S9, I3), and what helps instead."""
    say = subject.say
    match subject.policy.information.junk_mail:
        case JunkMail.UNCHANGED:
            yield Paragraph(
                say(
                    "No. This is not a measure against the junk mail that you receive, and does not reduce it. It "
                    "reduces the junk mail that is sent from {provider}'s network.",
                    provider=subject.provider,
                )
            )
        case JunkMail.INDIRECT:
            yield Paragraph(
                say(
                    "Not directly, and not at once. This is not a measure that itself reduces the junk mail you "
                    "receive, but one of several that reduce the junk mail on the Internet as a whole."
                )
            )
        case JunkMail.SLIGHTLY_LESS:
            yield Paragraph(
                say(
                    "It may decrease, but slightly at most. Junk mail that leaves through proper mail servers, through "
                    "bulk mailers that check their customers too little, or through providers without OP25B is not "
                    "stopped."
                )
            )
    helps = (*subject.policy.information.of(OfferKind.JUNK_FILTER),)
    helps += subject.policy.information.of(OfferKind.SECURITY_PRODUCT)
    if helps:
        yield Paragraph(say("Against the junk mail that you receive, please use:"))
        yield from offered(helps, say)


def offered(offers: Iterable[Offer], say: Speaker) -> Iterable[Block]:
    """Offers as links, or by name where they have no address."""
    for offer in offers:
        name = say.pick(offer.name)
        yield Link(name, url=offer.url) if offer.url else Paragraph(name)


def _jeag(subject: Subject) -> tuple[Block, ...]:
    if not subject.policy.information.jeag:
        return ()
    return (Paragraph(jeag(subject.say)),)


def jeag(say: Speaker) -> str:
    """Claim F9."""
    return say(
        "JEAG (Japan Email Anti-Abuse Group) was founded in March 2005 by Japanese providers and others to do away "
        "with junk mail. It studies ways to keep junk mail from being sent and recommends them; OP25B is one of them."
    )


def links(say: Speaker) -> tuple[Block, ...]:
    """Claim L13: the three pages, and what belongs to them."""
    return (
        Link(say("Customers who are affected"), page="affected"),
        Link(say("How to go on sending mail"), page="avoid"),
        Link(say("Questions and answers"), page="questions"),
        Link(say("Glossary"), page="glossary"),
    )
