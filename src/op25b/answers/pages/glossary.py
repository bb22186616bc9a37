"""The words that the other pages use."""

from __future__ import annotations

from op25b.answers.blocks import Page, Paragraph, Section
from op25b.answers.pages.about import definition, reading
from op25b.answers.pages.subject import Subject
from op25b.answers.speech import mark

_TERMS = (
    (
        "port-25",
        mark("Port 25"),
        mark(
            "The port on which mail servers deliver mail to each other. Mail programs have long used it for sending "
            "too, and that is what changes now."
        ),
    ),
    (
        "submission-port",
        mark("Submission port"),
        mark(
            "A port that is there only for sending: a user hands mail to their own provider's server on it, with a "
            "user name and a password. Unlike port 25 it is not restricted."
        ),
    ),
    (
        "port-587",
        mark("Port 587"),
        mark(
            "The number of the submission port. The connection is protected by STARTTLS. Providers that restrict "
            "port 25 leave it open, so it works over their lines too."
        ),
    ),
    (
        "port-465",
        mark("Port 465 (SMTP over SSL)"),
        mark("The same as port 587, for mail programs that protect the connection with TLS from its beginning."),
    ),
    (
        "smtp-auth",
        mark("SMTP AUTH"),
        mark(
            "Authentication when sending: the sending server checks by user name and password that you are a customer, "
            "so that nobody else can misuse it. Your mail program must support it; nearly all of today's do."
        ),
    ),
    (
        "pop-before-smtp",
        mark("POP before SMTP"),
        mark(
            "An older way to check who is sending: for some minutes after mail has been received, mail is taken from "
            "the same address. SMTP AUTH is more exact."
        ),
    ),
    (
        "relay-and-submission",
        mark("Delivery and submission"),
        mark(
            "Delivery (relay) is from mail server to mail server, on port 25. Submission is from a user to their own "
            "provider's server, on port 587 or 465. OP25B restricts port 25 only, and only outward."
        ),
    ),
    (
        "smart-host",
        mark("Smart host"),
        mark("A server to which another mail server hands all that it sends, instead of delivering it by itself."),
    ),
    (
        "dynamic-address",
        mark("Dynamic and fixed IP addresses"),
        mark(
            "A dynamic IP address may change with each connection; most lines for homes have one. A fixed one is "
            "assigned to one customer for good."
        ),
    ),
    (
        "webmail",
        mark("Webmail"),
        mark("Mail that is read and written in a web browser. It does not use port 25 of your line."),
    ),
)


def page(subject: Subject) -> Page:
    """Claim S10."""
    say = subject.say
    first = Section(
        "op25b", say("Outbound Port 25 Blocking (OP25B)"), (Paragraph(definition(subject)), Paragraph(reading(say)))
    )
    terms = tuple(Section(key, say(term), (Paragraph(say(meaning)),)) for key, term, meaning in _TERMS)
    return Page("glossary", say("Glossary"), (first, *terms))
