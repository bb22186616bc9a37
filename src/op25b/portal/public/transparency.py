"""What is restricted, for everybody to see: since when, how many exemptions there are, on what terms, what is next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from fastapi import APIRouter, Request, Response

from op25b.answers import terms
from op25b.answers.blocks import Block, Bullets, Page, Paragraph, Section
from op25b.answers.pages import affected
from op25b.answers.pages.subject import Subject
from op25b.policy import scope
from op25b.portal.desk.counts import Counter, Counts
from op25b.portal.public.contents import Content
from op25b.portal.public.site import Site

_ITEMS = ("- ", "・")
"""How an item of a list begins, in English and in Japanese."""


def router(site: Site) -> APIRouter:
    """Its path."""
    made, counter = APIRouter(), Counter(site.context.store)

    @made.get("/{language:language}/transparency")
    def transparency(request: Request) -> Response:
        visit = site.visit(request)
        found = page(Subject(site.standings.judge, visit.at, visit.say), counter.at(visit.at))
        text = site.templates.part(visit.language, "content.html", found=found)
        contents = site.templates.part(visit.language, "contents.html", found=found)
        content = Content(found.title, text, contents)
        return site.templates.page(request, "page.html", content=content, notices=[])

    return made


def page(subject: Subject, counts: Counts) -> Page:
    """The page as blocks."""
    say = subject.say
    sections = (
        Section("lines", say("What is restricted, and since when"), tuple(affected.lines(subject))),
        Section("exemptions", say("Exemptions: terms and numbers"), tuple(_terms(subject, counts))),
        Section("review", say("When it is looked at again"), tuple(_reviews(subject, counts))),
    )
    return Page("transparency", say("The restriction in figures"), sections)


def _terms(subject: Subject, counts: Counts) -> Iterator[Block]:
    items: list[str] = []
    for line in terms.text(subject.policy, counts.by_kind, subject.say):
        if (mark := next((each for each in _ITEMS if line.startswith(each)), None)) is not None:
            items.append(line.removeprefix(mark))
            continue
        yield from _bullets(items)
        items = []
        yield Paragraph(line)
    yield from _bullets(items)
    if held := sum(scope.in_force(each, subject.at) for each in subject.policy.exemptions):
        yield Paragraph(
            subject.say(
                "Besides these, exemptions that {provider} has set up itself: {number} in force.",
                provider=subject.provider,
                number=str(held),
            )
        )


def _bullets(items: Iterable[str]) -> Iterator[Block]:
    if kept := tuple(items):
        yield Bullets(kept)


def _reviews(subject: Subject, counts: Counts) -> Iterator[Block]:
    say = subject.say
    if counts.next_review is not None:
        yield Paragraph(say("The next exemption is reviewed on {day}.", day=_day(subject, counts.next_review)))
    elif subject.policy.exemption_terms.offered:
        yield Paragraph(say("No exemption is due for a review at present."))
    coming = [each for each in (*_moments(subject),) if each > subject.at]
    if coming:
        yield Paragraph(say("The restriction itself changes next on {day}.", day=_day(subject, min(coming))))
    elif subject.coming:
        yield Paragraph(say("A further restriction is announced; its date is not fixed yet."))
    else:
        yield Paragraph(say("No change of the restriction is planned at present."))


def _moments(subject: Subject) -> Iterator[datetime]:
    for phase in subject.policy.phases:
        if not phase.tentative:
            yield from (each for each in (phase.from_, phase.until) if each is not None)


def _day(subject: Subject, at: datetime) -> str:
    return subject.say.day(at.astimezone(subject.say.zone).date())
