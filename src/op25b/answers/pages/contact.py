"""How to reach the provider, and whether the desk is open now."""

from __future__ import annotations

from op25b.answers.blocks import Block, Link, Page, Paragraph, Section
from op25b.answers.contacts import contacts
from op25b.answers.pages.subject import Subject


def page(subject: Subject) -> Page:
    """Claim N9; for the guide by telephone, fax or mail: N10."""
    say = subject.say
    ways = contacts(subject.policy.provider, subject.at, say)
    reach: tuple[Block, ...] = (ways,)
    if not ways.ways:
        reach = (Paragraph(say("For help, please contact {provider}.", provider=subject.provider)),)
    sections = (
        Section("ways", say("How to reach us"), reach),
        Section(
            "guide",
            say("If you do not know how to change the settings"),
            (
                Paragraph(say("Please ask us; we will explain how to change the settings of your mail program.")),
                Link(say("Settings of your mail program, step by step"), page="setup"),
                Link(say("I cannot send mail: find the cause"), page="trouble"),
            ),
        ),
    )
    return Page("contact", say("Contacts and opening hours"), sections)
