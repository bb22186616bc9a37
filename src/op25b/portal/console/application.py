"""The console as an ASGI application."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import DBAPIError
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp

from op25b.errors import UserError
from op25b.portal.console import audit, cases, customers, exemptions, log_in, operations, overview, rollout
from op25b.portal.console.context import Context
from op25b.portal.console.gate import NotAllowed, NotLoggedIn
from op25b.portal.console.pages import Pages
from op25b.portal.console.words import REFUSALS
from op25b.portal.desk import refusals
from op25b.portal.web import faults, languages
from op25b.portal.web.headers import Headers
from op25b.portal.web.limits import BoundedBodies

ROUTERS = (overview, customers, exemptions, cases, rollout, operations, audit, log_in)


def application(context: Context) -> ASGIApp:
    """The application of one policy."""
    return Headers(unwrapped(context))


def unwrapped(context: Context) -> FastAPI:
    """The same without its headers, so that its routes can be seen."""
    pages = Pages(context)
    made = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    made.router.routes.append(pages.static.route())

    @made.get("/")
    def start(request: Request) -> RedirectResponse:
        return RedirectResponse(f"/{languages.of(request)}/", 307, {"Vary": "Accept-Language"})

    for module in ROUTERS:
        made.include_router(module.router(context, pages))
    faults.install(made, pages.templates, context.desks.log)
    _refusals(made, context, pages)
    made.add_middleware(BoundedBodies, answer=faults.Answer(pages.templates))
    return made


def _refusals(made: FastAPI, context: Context, pages: Pages) -> None:
    @made.exception_handler(NotLoggedIn)
    def not_logged_in(request: Request, _: NotLoggedIn) -> Response:
        """To the log-in, and back here after it; a form that was sent is lost."""
        onward = request.scope["path"]
        if query := request.scope["query_string"].decode("ascii", "ignore"):
            onward += f"?{query}"
        back = f"?next={quote(onward, safe='')}" if request.method == "GET" else ""
        return RedirectResponse(f"/{languages.of(request)}/log-in{back}", 303)

    @made.exception_handler(NotAllowed)
    def not_allowed(request: Request, error: NotAllowed) -> Response:
        context.desks.log.warning("not allowed", who=error.person.name, action=error.action)
        return pages.page(request, error.person, "not-allowed.html", 403)

    @made.exception_handler(UserError)
    def refused(request: Request, error: UserError) -> Response:
        """What the work itself refuses is for whoever does it to read; what lacks on this host is for the log."""
        if isinstance(error.__cause__, DBAPIError):
            context.desks.log.error("the store cannot be used", reason=str(error))
            return faults.page(pages.templates, request, 503)
        person = context.gate.person(request)
        status = refusals.status(error)
        # these two say all that there is to say; the others name what is meant, in the words of the commands
        reason = "" if status in (404, 412) else str(error)
        return pages.page(request, person, "refused.html", status, why=REFUSALS[status], reason=reason)
