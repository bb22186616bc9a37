"""The audit trail: who changed what."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from op25b.portal.console.context import Context
from op25b.portal.console.pages import Pages
from op25b.portal.desk import auditing
from op25b.portal.staff.roles import Action, Person
from op25b.portal.web.forms import Asked


def router(context: Context, pages: Pages) -> APIRouter:
    """Its path."""
    made = APIRouter()
    see_audit = context.gate.needs(Action.SEE_AUDIT)

    @made.get("/{language:language}/audit")
    def lines(request: Request, asked: Asked, person: Person = see_audit) -> Response:
        before = int(asked["before"]) if asked.get("before", "").isdecimal() else None
        found = auditing.look(context.desks, asked.get("text", ""), before)
        return pages.page(request, person, "audit.html", found=found, text=asked.get("text", ""))

    return made
