"""Mail cannot be sent: the symptom, then the five causes in their order (claims S1 to S3)."""

from __future__ import annotations

from op25b.answers.blocks import Block, Bullets, Link, Page, Paragraph, Section
from op25b.answers.causes import Cause, blocks, heading
from op25b.answers.pages.subject import Subject


def page(subject: Subject) -> Page:
    """As one page; step by step it is `op25b.answers.trouble`."""
    say = subject.say
    start: tuple[Block, ...] = (
        Bullets((say("I suddenly cannot send mail."), say("I can receive mail, but cannot send it."))),
        Paragraph(say("When you see one of these, please go through the following causes in their order.")),
        Link(say("Find the cause step by step"), page="trouble/steps"),
    )
    sections = [Section("symptom", say("What happens"), start)]
    for cause in Cause:
        sections.append(Section(f"cause-{cause}", heading(cause, subject), blocks(cause, subject)))
    return Page("trouble", say("I cannot send mail: find the cause"), tuple(sections))
