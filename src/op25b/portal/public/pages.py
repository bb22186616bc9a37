"""The pages that say the same to every visitor; the desk's notices stand on the one with its contacts."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from op25b.portal.public import notices
from op25b.portal.public.notices import Notice
from op25b.portal.public.site import Site

SAME_FOR_ALL = ("about", "avoid", "questions", "glossary", "contact")
_WITH_NOTICES = "contact"


def router(site: Site) -> APIRouter:
    """The pages at /ja/KEY and /en/KEY."""
    made = APIRouter()
    for key in SAME_FOR_ALL:
        made.add_api_route(f"/{{language:language}}/{key}", _page(site, key))
    return made


def _page(site: Site, key: str) -> Callable[[Request], Response]:
    def page(request: Request) -> Response:
        visit = site.visit(request)
        told: list[Notice] = []
        if key == _WITH_NOTICES:
            with site.context.store.read() as connection:
                told = notices.shown(site.notices.current(connection, visit.at), visit.say, visit.at)
        content = site.contents.of(key, visit.language, visit.at)
        return site.templates.page(request, "page.html", content=content, notices=told)

    return page
