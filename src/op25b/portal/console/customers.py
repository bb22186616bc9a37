"""Looking a customer up."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from op25b.portal.console.context import Context
from op25b.portal.console.pages import Pages
from op25b.portal.desk import customers, search
from op25b.portal.staff.roles import Action, Person
from op25b.portal.web.forms import Asked


def router(context: Context, pages: Pages) -> APIRouter:
    """Their paths."""
    made = APIRouter()
    see_customer = context.gate.needs(Action.SEE_CUSTOMER)

    @made.get("/{language:language}/customer")
    def customer(request: Request, asked: Asked, person: Person = see_customer) -> Response:
        who = asked.get("who", "")[: search.LONGEST]
        found = customers.find(context.desks, who)
        return pages.page(request, person, "customer.html", 200 if found.known else 404, found=found, asked=who)

    @made.get("/{language:language}/search")
    def searched(request: Request, asked: Asked, person: Person = see_customer) -> Response:
        what = asked.get("what", "")[: search.LONGEST]
        found = search.search(context.desks, person, what)
        return pages.page(request, person, "search.html", found=found, asked=what)

    return made
