"""The customers' pages as an ASGI application."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from starlette.types import ASGIApp

from op25b.portal import setup
from op25b.portal.public import affected, announcements, checking, doctor, home, pages, transparency, trouble
from op25b.portal.public.context import Context
from op25b.portal.public.navigation import NAVIGATION
from op25b.portal.public.selfservice import credentials, exemptions, menu
from op25b.portal.public.site import Site
from op25b.portal.setup import discovery
from op25b.portal.setup import pages as setup_pages
from op25b.portal.web import faults, languages
from op25b.portal.web.headers import Headers
from op25b.portal.web.limits import BoundedBodies
from op25b.portal.web.static import Static
from op25b.portal.web.templates import Templates

TEMPLATES = [
    Path(__file__).parent / "templates",
    Path(__file__).parent / "selfservice" / "templates",
    setup.TEMPLATES,
]


def templates_of(context: Context, static: Static) -> Templates:
    """The templates, with what every page of the provider's has."""
    provider = context.policy.provider
    return Templates(
        TEMPLATES,
        ZoneInfo(provider.time_zone),
        static,
        context.forms,
        {"provider": provider, "navigation": (*NAVIGATION, *menu.entries(context.policy))},
    )


def application(context: Context) -> ASGIApp:
    """The application of one policy."""
    static = Static()
    templates = templates_of(context, static)
    made = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    made.router.routes.append(static.route())

    @made.get("/")
    def start(request: Request) -> RedirectResponse:
        language = languages.of(request)
        return RedirectResponse(f"/{language}/", 307, {"Vary": "Accept-Language"})

    site = Site(context, templates)
    rooms = (home, affected, trouble, checking, doctor, pages, transparency, announcements)
    for each in (*rooms, setup_pages, discovery, credentials, exemptions):
        made.include_router(each.router(site))
    faults.install(made, templates, context.log)
    made.add_middleware(BoundedBodies, answer=faults.Answer(templates))
    return Headers(made)
