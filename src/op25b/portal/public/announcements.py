"""The notices of phases, as pages: what was sent to customers by mail and by letter can be read here as well."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response

from op25b.answers.blocks import Link, Page, Section
from op25b.policy.model import Phase
from op25b.portal.public.site import Site, Visit
from op25b.portal.setup.programs import menus
from op25b.rollout import stages
from op25b.rollout.content import Subject, page


def router(site: Site) -> APIRouter:
    """/ja/notices and /ja/notices/PHASE, and the same in English: of each phase the notice that is due."""
    made = APIRouter()

    @made.get("/{language:language}/notices")
    def listed(request: Request) -> Response:
        visit = site.visit(request)
        pages = {phase.name: _page(site, phase, visit) for phase in site.policy.phases}
        links = tuple(Link(found.title, f"notices/{name}") for name, found in pages.items() if found is not None)
        say = visit.say
        section = Section("notices", say("About the restriction of port 25"), links)
        return _answer(site, request, visit, Page("notices", say("Notices"), (section,)))

    @made.get("/{language:language}/notices/{name}")
    def notice(request: Request, name: str) -> Response:
        visit = site.visit(request)
        phase = next((each for each in site.policy.phases if each.name == name), None)
        found = None if phase is None else _page(site, phase, visit)
        if found is None:
            raise HTTPException(404)
        return _answer(site, request, visit, found)

    return made


def _page(site: Site, phase: Phase, visit: Visit) -> Page | None:
    notice = stages.due(phase, visit.at)
    return None if notice is None else page(Subject(site.policy, phase, notice, visit.at, menus()), visit.say)


def _answer(site: Site, request: Request, visit: Visit, found: Page) -> Response:
    part = site.templates.part
    content = {
        "title": found.title,
        "text": part(visit.language, "content.html", found=found),
        "contents": part(visit.language, "contents.html", found=found),
    }
    return site.templates.page(request, "page.html", content=content, notices=[])
