"""The first page: what waits, charts, and a part that keeps itself up to date."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import get_args

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from op25b.errors import UserError
from op25b.portal.console.context import Context
from op25b.portal.console.pages import Pages
from op25b.portal.console.words import CHARTS, word
from op25b.portal.desk import charts, overview
from op25b.portal.staff.roles import Action, Person

STREAMS = 20
"""Browsers that are told of changes at a time; the others show how it was when the page was loaded."""
EACH_SECONDS = 5.0
STREAM_SECONDS = 60.0
"""After that the browser asks again, with its session: who has logged out hears no more."""
_EVENTS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def router(context: Context, pages: Pages) -> APIRouter:
    """Its paths."""
    made = APIRouter()
    see_overview = context.gate.needs(Action.SEE_OVERVIEW)
    drawn = charts.Charts(context.desks, word)

    @made.get("/{language:language}/")
    def home(request: Request, person: Person = see_overview) -> Response:
        found = overview.look(context.desks)
        return pages.page(request, person, "overview.html", found=found, charts=CHARTS)

    @made.get("/{language:language}/charts/{name}.{room}.{scheme}.svg")
    def chart(request: Request, name: str, room: str, scheme: str, person: Person = see_overview) -> Response:
        known = ((name, charts.Name), (room, charts.Room), (scheme, charts.Scheme))
        if any(each not in get_args(names) for each, names in known):
            raise HTTPException(404)
        say = pages.templates.speaker(request)
        return Response(drawn.svg(name, say, scheme, room), media_type="image/svg+xml")  # type: ignore[arg-type]

    _live(made, context, pages)
    return made


def _live(made: APIRouter, context: Context, pages: Pages) -> None:
    watching = context.gate.needs(Action.SEE_OVERVIEW, present=False)
    streams = 0

    @made.get("/{language:language}/live")
    async def live(request: Request, person: Person = watching) -> Response:
        """The changing part of the first page, by server-sent events (HTML standard, 9.2)."""
        if streams >= STREAMS:
            raise HTTPException(503, headers={"Retry-After": "60"})

        def part() -> str:
            return str(pages.part(request, "standing.html", person=person, found=overview.look(context.desks)))

        async def events() -> AsyncIterator[str]:
            nonlocal streams
            streams += 1
            said = ""
            try:
                for _ in range(int(STREAM_SECONDS / EACH_SECONDS)):
                    now = await run_in_threadpool(part)
                    # a comment keeps proxies from closing a stream that says nothing
                    yield _event(now) if now != said else ": nothing new\n\n"
                    said = now
                    await asyncio.sleep(EACH_SECONDS)
            except UserError as error:
                context.desks.log.error("a page cannot be made", reason=str(error))
            finally:
                streams -= 1

        return StreamingResponse(events(), media_type="text/event-stream", headers=_EVENTS)


def _event(html: str) -> str:
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"
