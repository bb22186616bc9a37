"""How to go on sending: through the provider's server, or another that takes 587 or 465; servers at home; webmail."""

from __future__ import annotations

from collections.abc import Iterator

from op25b.answers.blocks import Block, Definitions, Link, Page, Paragraph, Section, Steps
from op25b.answers.pages.about import offered
from op25b.answers.pages.samples import samples
from op25b.answers.pages.subject import Subject
from op25b.answers.phases import days, early
from op25b.answers.remedies import subdomain
from op25b.answers.reply import no_direct_delivery, others_submission, security_software
from op25b.answers.speech import Speaker, mark
from op25b.policy.information import OfferKind

_USER_NAMES = {
    "pop-account": mark("the same as that of your POP account"),
    "mail-address": mark("your own mail address"),
    "issued": mark("the one that was issued to you for SMTP AUTH"),
}
_PASSWORDS = {
    "pop-account": mark("the same as that of your POP account"),
    "mail-address": mark("the password of your mailbox"),
    "issued": mark("the one that was issued to you for SMTP AUTH"),
}


def page(subject: Subject) -> Page:
    """Claims L9, L10, F6, F7, I1, N4, S5, I5, I6, I10, I11, I12, I14 to I17."""
    say = subject.say
    sections = (
        Section(
            "own-server", say("A. Use {provider}'s sending server", provider=subject.provider), tuple(own(subject))
        ),
        Section("credentials", say("User name and password for SMTP AUTH"), tuple(credentials(subject))),
        Section("other-server", say("B. Keep the sending server that you use"), tuple(other(subject))),
        Section("home-server", say("If you run a mail server yourself"), tuple(home(subject))),
        Section("webmail", say("Webmail"), tuple(webmail(subject))),
        Section("firewall", say("If you cannot connect to port 587"), firewall(subject)),
        Section("impossible", say("If none of this is possible"), tuple(impossible(subject))),
    )
    title = say("How to go on sending mail")
    return Page("avoid", title, tuple(section for section in sections if section.blocks))


def own(subject: Subject) -> Iterator[Block]:
    """Remedy A (claims L9, I1, N4)."""
    say, server = subject.say, subject.server
    if server is None:
        return
    yield Paragraph(say("Please make these three changes together in your mail program."))
    yield Steps(
        (
            say("Sending server (SMTP): {host}", host=subject.host),
            say("Sending port: 587 (with STARTTLS)")
            if 587 in server.ports
            else say("Sending port: 465 (SMTP over SSL)"),
            say("SMTP AUTH (authentication when sending): on"),
        )
    )
    yield from map(Paragraph, subdomain(server, say))
    yield settings(subject)
    yield Paragraph(say("The settings for receiving mail stay as they are."))
    if subject.coming:
        yield Paragraph(early(say))
    if server.submission_since is not None:
        yield Paragraph(say("Port 587 has been offered since {since}.", since=say.day(server.submission_since)))
    yield Paragraph(security_software(say))
    yield Link(say("Settings of your mail program, step by step"), page="setup")
    yield from offered(subject.policy.information.of(OfferKind.GUIDE), say)
    yield Link(say("About port 587 and SMTP AUTH"), page="glossary", section="port-587")


def settings(subject: Subject) -> Definitions:
    """What SMTP AUTH asks for (claims L7, I7, I13)."""
    say, policy = subject.say, subject.policy
    user_name = policy.credentials.user_name
    pairs = [
        (say("User name"), say(_USER_NAMES[user_name])),
        (say("Password"), say(_PASSWORDS[user_name])),
        (say("Authentication method"), say("PLAIN or LOGIN, over a protected connection (TLS)")),
    ]
    if subject.server is not None and 465 in subject.server.ports and 587 in subject.server.ports:
        pairs.append((say("If your program cannot do STARTTLS"), say("port 465 (SMTP over SSL)")))
    return Definitions(tuple(pairs))


def credentials(subject: Subject) -> Iterator[Block]:
    """Claims I14 to I17."""
    say, given = subject.say, subject.policy.credentials
    if given.on_notice:
        yield Paragraph(say("Please use the user name and password that are on your notice of acceptance."))
    if given.self_service:
        yield Paragraph(self_service(subject))
        for brand in subject.policy.provider.brands:
            name = say.pick(brand.display)
            yield Link(say("Apply for SMTP AUTH: customers of {brand}", brand=name), page=f"credentials/{brand.name}")
    yield from lost(subject)


def self_service(subject: Subject) -> str:
    """Claims I14, I15."""
    say = subject.say
    if subject.policy.credentials.on_notice:
        return say(
            "If they are not on it, please apply on the page below. They are issued at once and free of charge. "
            "Your present POP password is needed."
        )
    return say(
        "Please apply on the page below. They are issued at once and free of charge. Your present POP password is "
        "needed."
    )


def lost(subject: Subject) -> Iterator[Block]:
    """Claims I16, I17."""
    say, given = subject.say, subject.policy.credentials
    if given.reissue is not None:
        fee = say.pick(given.reissue.fee)
        yield Paragraph(say("If you have lost your password, it is reissued by post. Fee: {fee}.", fee=fee))
        if given.reissue.free is not None:
            first, last = days(given.reissue.free, say)
            yield Paragraph(
                say("It is free of charge if you ask for it from {first} to {last}.", first=first, last=last)
            )
    if given.initial_password:
        yield Paragraph(
            say(
                "If you still have the notice of acceptance, the password can be set back to the initial one on it, "
                "free of charge."
            )
        )


def other(subject: Subject) -> Iterator[Block]:
    """Remedy B (claims L10, F6, F7, I12)."""
    say = subject.say
    yield Paragraph(
        say(
            "The server must offer a way of sending other than port 25: port 587 (message submission) or port 465 "
            "(SMTP over SSL). With one of them you can go on sending through it as before."
        )
    )
    yield Paragraph(
        say("Whether it does, please ask its administrator: the other provider, or the company that hosts your domain.")
    )
    yield Paragraph(others_submission(say))


def home(subject: Subject, *, full: bool = True) -> Iterator[Block]:
    """Claims F5, S5, I8. `full`: with the samples; otherwise with a link to them."""
    say = subject.say
    yield Paragraph(no_direct_delivery(say))
    if subject.policy.home_servers == "smart-host" and subject.server is not None:
        yield Paragraph(
            say(
                "You can go on by adding to its settings that it relays through {provider}'s sending server ({host}), "
                "with SMTP AUTH (smart host).",
                provider=subject.provider,
                host=subject.host,
            )
        )
        yield Paragraph(not_supported(say))
        yield from map(Paragraph, subdomain(subject.server, say))
        if full:
            yield from samples(subject.server, say)
        else:
            yield Link(say("Samples for common mail servers"), page="avoid", section="home-server")
    elif subject.server is not None:
        yield Paragraph(
            say(
                "Please send from your mail program through {provider}'s sending server ({host}) instead.",
                provider=subject.provider,
                host=subject.host,
            )
        )
        if not full:
            yield Link(say("How to go on sending mail"), page="avoid", section="own-server")
    yield Paragraph(receiving(say))


def receiving(say: Speaker) -> str:
    """Claim I9."""
    return say("Receiving mail with it is not restricted: connections from outside to your port 25 work as before.")


def not_supported(say: Speaker) -> str:
    """Claim S5."""
    return say("We do not support the set-up of your mail server itself; the samples are only for orientation.")


def webmail(subject: Subject) -> Iterator[Block]:
    say = subject.say
    yield Paragraph(say("Webmail in a web browser can be used as before."))
    yield from offered(subject.policy.information.of(OfferKind.WEBMAIL), say)


def firewall(subject: Subject) -> tuple[Block, ...]:
    """Claim I11."""
    say = subject.say
    return (
        Paragraph(
            say(
                "{provider} does not restrict port 587. In companies and schools, though, a firewall may not let it "
                "through. Please ask the administrator of that network first.",
                provider=subject.provider,
            )
        ),
        Paragraph(say("If that does not help, please contact us.")),
        Link(say("Contacts and opening hours"), page="contact"),
    )


def impossible(subject: Subject) -> Iterator[Block]:
    """Claims I5, I6, I10."""
    say, terms = subject.say, subject.policy.exemption_terms
    yield Paragraph(
        say(
            "If your mail program cannot do SMTP AUTH, or its sending port cannot be changed, please change to one "
            "that can. Nearly all mail programs of today can do both."
        )
    )
    if not terms.offered:
        yield Link(say("Contacts and opening hours"), page="contact")
        return
    where = terms.contact or subject.provider
    yield Paragraph(
        say(
            "The restriction can also be lifted for a single customer as an exemption. Please ask {where} for it.",
            where=where,
        )
    )
    if terms.fee is not None:
        yield Paragraph(say.pick(terms.fee))
    yield Link(say("Exemptions from the restriction"), page="exemptions")
