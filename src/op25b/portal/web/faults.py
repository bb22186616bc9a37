"""How a request for a page ends badly: a page that says so politely, in the visitor's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from op25b.answers.speech import mark
from op25b.errors import UserError
from op25b.portal.web.templates import Templates

_WORDS = {
    400: (mark("We could not read this request"), mark("Please go back, check what you wrote, and send it again.")),
    403: (
        mark("Please send the form once more"),
        mark("The form had been open for a long time, or was not sent from one of our pages. Nothing was changed."),
    ),
    404: (mark("There is no such page"), mark("The address may be misspelt, or the page may have moved.")),
    405: (mark("This page does not work that way"), mark("Please start from our first page.")),
    408: (mark("This took too long"), mark("Your request did not arrive in time. Please send it again.")),
    413: (mark("That was too much"), mark("What you sent is longer than we can take. Please shorten it.")),
    414: (mark("That was too much"), mark("What you sent is longer than we can take. Please shorten it.")),
    429: (
        mark("Please wait a little"),
        mark("There were many requests from you in a short time. Please try again later."),
    ),
    503: (
        mark("This is not available at the moment"),
        mark("We are sorry. Please try again in a few minutes."),
    ),
}
_UNEXPECTED = (
    mark("Something went wrong on our side"),
    mark("We are sorry. Our staff have been told; please try again later."),
)


def page(templates: Templates, request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The page for a status."""
    heading, text = _WORDS.get(status, _UNEXPECTED if status >= 500 else _WORDS[400])
    return templates.page(request, "fault.html", status, headers, heading=heading, text=text)


class Answer:
    """The same as an ASGI application, for what refuses a request before it is looked at (`limits.BoundedBodies`)."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def __call__(self, status: int, _: str, headers: Mapping[str, str]) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await page(self._templates, Request(scope), status, headers)(scope, receive, send)

        return answer


def install(app: FastAPI, templates: Templates, log: Any) -> None:
    """Every way of ending badly becomes one of these pages; what is the host's own matter goes to the log alone."""

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        return page(templates, request, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, _: RequestValidationError) -> Response:
        return page(templates, request, 400)

    @app.exception_handler(DBAPIError)
    def _database(request: Request, error: DBAPIError) -> Response:
        log.error("the store cannot be used", reason=str(error.orig))
        return page(templates, request, 503)

    @app.exception_handler(UserError)
    def _user_error(request: Request, error: UserError) -> Response:
        away = isinstance(error.__cause__, DBAPIError)
        log.error("the store cannot be used" if away else "a page cannot be made", reason=str(error))
        return page(templates, request, 503 if away else 500)

    @app.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> Response:
        log.error("a page cannot be made", reason=repr(error), path=request.scope["path"], exc_info=error)
        return page(templates, request, 500)
