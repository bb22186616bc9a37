"""Why can't I send? The five causes on one page, and step by step for what a visitor answers."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from op25b.answers import trouble
from op25b.answers.causes import Cause
from op25b.answers.pages import Subject
from op25b.policy.intervals import Address
from op25b.portal.public import notices
from op25b.portal.public.site import Site
from op25b.portal.web.forms import Asked

_ANOTHER_LINE = "another-line"
"""With it, the visitor sends from another line than the one that the browser is on."""


def router(site: Site) -> APIRouter:
    """The pages at /ja/trouble and /ja/trouble/steps, and in English."""
    made = APIRouter()

    @made.get("/{language:language}/trouble")
    def causes(request: Request) -> Response:
        visit = site.visit(request)
        with site.context.store.read() as connection:
            told = site.notices.current(connection, visit.at)
        content = site.contents.of("trouble", visit.language, visit.at, told)
        return site.templates.page(
            request,
            "trouble.html",
            content=content,
            notices=notices.shown(told, visit.say, visit.at),
            host="",
            fault="",
        )

    @made.get("/{language:language}/trouble/steps")
    def steps(request: Request, fields: Asked) -> Response:
        visit, judge = site.visit(request), site.standings.judge
        address = None if _ANOTHER_LINE in fields else visit.address
        if address is not None and site.standings.pool_of(address) is None:
            address = None
        with site.context.store.read() as connection:
            told = site.notices.current(connection, visit.at)
            if address is not None:
                judge = site.standings.judge_of(connection, address, [], visit.at)
        subject = Subject(judge, visit.at, visit.say, told)
        given, trail = _trail(subject, fields, address)
        step = trouble.step(subject, given, address)
        kept = given if _ANOTHER_LINE not in fields else {_ANOTHER_LINE: "1", **given}
        return site.templates.page(
            request,
            "steps.html",
            step=step,
            choices=[] if step.ask is None else [(each.value, each.text) for each in step.ask.choices],
            trail=trail,
            given=kept,
            address=address,
            check=step.cause is Cause.WRONG_SETTING,
            host="",
            fault="",
        )

    return made


def _trail(
    subject: Subject, fields: Mapping[str, str], address: Address | None
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The answers that were given so far, in order, and in words; what was not asked is left out."""
    given: dict[str, str] = {}
    words: list[tuple[str, str]] = []
    while (ask := trouble.step(subject, given, address).ask) is not None and ask.key in fields:
        chosen = next((each for each in ask.choices if each.value == fields[ask.key]), None)
        if chosen is None:
            break
        given[ask.key] = chosen.value
        words.append((ask.text, chosen.text))
    return given, words
