"""The pages that any visitor may read."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from op25b.portal.public.context import Context
from op25b.portal.web.templates import Templates


def router(context: Context, templates: Templates) -> APIRouter:
    """Their paths."""
    made = APIRouter()

    @made.get("/{language:language}/")
    def home(request: Request) -> Response:
        address = context.proxies.visitor(request)
        return templates.page(request, "home.html", address=address)

    return made
