"""The mail that waits, and the hosts that filter."""

from __future__ import annotations

from typing import get_args

from fastapi import APIRouter, Request, Response

from op25b.portal.console.context import Context
from op25b.portal.console.pages import Pages, went
from op25b.portal.desk import overview, queue
from op25b.portal.staff.roles import Action, Person
from op25b.portal.web.forms import Asked, Posted
from op25b.submission.queue_view import Filter, QueueState
from op25b.subscribers.exemptions.request import LONGEST_REASON


def router(context: Context, pages: Pages) -> APIRouter:
    """Their paths."""
    made, desks = APIRouter(), context.desks
    see_queue, see_filter = context.gate.needs(Action.SEE_QUEUE), context.gate.needs(Action.SEE_FILTER)
    change_queue = context.gate.needs(Action.CHANGE_QUEUE)

    @made.get("/{language:language}/queue")
    def messages(request: Request, asked: Asked, person: Person = see_queue) -> Response:
        if desks.spool is None:
            return pages.page(request, person, "queue.html", found=None, wanted=Filter())
        state = asked.get("state")
        wanted = Filter(
            next((each for each in get_args(QueueState) if each == state), None),
            asked.get("account") or None, asked.get("sender") or None, asked.get("to") or None,
        )  # fmt: skip
        return pages.page(request, person, "queue.html", found=queue.look(desks, wanted), wanted=wanted)

    @made.get("/{language:language}/queue/{queue_id}")
    def message(request: Request, queue_id: str, person: Person = see_queue) -> Response:
        found = queue.one(desks, queue_id)
        steps = queue.possible(found) if person.may(Action.CHANGE_QUEUE) else []
        return pages.page(request, person, "message.html", found=found, steps=steps)

    def stepping(step: queue.Taken) -> None:
        @made.post(f"/{{language:language}}/queue/{{queue_id}}/{step}", name=f"{step} message")
        def take(request: Request, queue_id: str, posted: Posted, person: Person = change_queue) -> Response:
            context.forms.check(request, posted)
            queue.take(desks, queue_id, step, person, posted.get("why", "")[:LONGEST_REASON])
            return went(request, f"queue/{queue_id}")

    for step in get_args(queue.Taken):
        stepping(step)

    @made.get("/{language:language}/filter")
    def edges(request: Request, person: Person = see_filter) -> Response:
        return pages.page(request, person, "filter.html", found=overview.filters(desks))

    return made
