"""What the watch has found, and what the abuse desk does about it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from op25b.portal.console.context import Context
from op25b.portal.console.pages import Pages, went
from op25b.portal.desk import watching
from op25b.portal.staff.roles import Action, Person
from op25b.portal.web.forms import Asked, Posted
from op25b.store.audit import trail
from op25b.subscribers.exemptions.request import LONGEST_REASON
from op25b.watch import cases
from op25b.watch.states import State, Step

SHOWN = 300


def router(context: Context, pages: Pages) -> APIRouter:
    """Their paths."""
    made, desks = APIRouter(), context.desks
    see_cases = context.gate.needs(Action.SEE_CASES)
    decide_case = context.gate.needs(Action.DECIDE_CASE)

    @made.get("/{language:language}/cases")
    def listed(request: Request, asked: Asked, person: Person = see_cases) -> Response:
        closed = asked.get("closed") == "yes"
        with desks.store.read() as connection:
            found = cases.listed(connection, closed=closed)[::-1]
            confined = cases.quarantined(connection)
        return pages.page(
            request, person, "cases.html", found=found[:SHOWN], number=len(found), closed=closed, confined=confined
        )

    @made.get("/{language:language}/cases/{number:number}")
    def one(request: Request, number: int, person: Person = see_cases) -> Response:
        with desks.store.read() as connection:
            found = cases.find(connection, number)
            history = trail(connection, cases.subject(found))
        steps = watching.possible(found) if person.may(Action.DECIDE_CASE) else []
        return pages.page(request, person, "case.html", found=found, history=history, steps=steps)

    def stepping(step: Step) -> None:
        @made.post(f"/{{language:language}}/cases/{{number:number}}/{step}", name=f"{step} case")
        def take(request: Request, number: int, posted: Posted, person: Person = decide_case) -> Response:
            context.forms.check(request, posted)
            seen = State(posted["seen"]) if posted.get("seen") in list(State) else State.CLOSED
            watching.take(desks, number, step.value, seen, person, posted.get("why", "")[:LONGEST_REASON])
            return went(request, f"cases/{number}")

    for step in Step:
        stepping(step)
    return made
