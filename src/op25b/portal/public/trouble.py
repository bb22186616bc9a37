"""Why can't I send? What is known of each of the five causes, for what a visitor describes."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from op25b.answers.blocks import Section
from op25b.answers.reply import reply
from op25b.portal.public import notices
from op25b.portal.public.affected import answered
from op25b.portal.public.causes import Cause, causes
from op25b.portal.public.site import Site
from op25b.portal.web.forms import Asked


def router(site: Site) -> APIRouter:
    """The page at /ja/trouble and /en/trouble."""
    made = APIRouter()

    @made.get("/{language:language}/trouble")
    def trouble(request: Request, fields: Asked) -> Response:
        visit = site.visit(request)
        with site.context.store.read() as connection:
            told = notices.current(connection, visit)
        asked = visit.asking.read(fields, visit.address)
        answer, sections, found = None, tuple[Section, ...](), list[Cause]()
        if fields and asked.situation is not None:
            answer, policy = answered(site, visit, asked.situation)
            sections = reply(answer, policy, visit.say)
            found = causes(answer, site.policy, told, visit.say)
        return site.templates.page(
            request,
            "trouble.html",
            asking=visit.asking,
            asked=asked,
            lines=visit.asking.lines(visit.address),
            answer=answer,
            sections=sections,
            causes=found,
            notices=told,
            content=site.contents.of("trouble", visit.language, visit.at),
        )

    return made
