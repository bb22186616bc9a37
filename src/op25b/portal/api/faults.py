"""How a request ends badly: an HTTP status, and in JSON what is wrong and what to send instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from op25b.errors import UserError
from op25b.portal.desk import refusals

_WORDS = {
    400: "the body cannot be read; send JSON as /openapi.json has it",
    404: "there is nothing at this path; /openapi.json says what there is",
    405: "this path takes other methods; /openapi.json says which",
}


class Fault(BaseModel):
    """One thing that is wrong. `where`: the field, as in `body.prefix`; `mend`: what to send instead."""

    where: str | None = None
    what: str
    mend: str | None = None


class Faults(BaseModel):
    """What every answer from status 400 on holds."""

    errors: list[Fault]


STATUSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Faults} for status in (400, 401, 403, 404, 409, 412, 413, 422, 428, 429, 503)
}
"""How any path may end badly, for the OpenAPI document."""


class Refused(Exception):
    """Ends a request with a status."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.headers = status, headers


def answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer that says `what is wrong; what to do`."""
    what, _, mend = text.partition("; ")
    return _json(status, [Fault(what=what, mend=mend or None)], headers)


def _json(status: int, faults: list[Fault], headers: Mapping[str, str] | None = None) -> JSONResponse:
    content = Faults(errors=faults).model_dump(mode="json")
    return JSONResponse(content, status, dict(headers or {}))


def install(app: FastAPI, log: Any) -> None:
    """Every way of ending badly becomes one of these answers; what is the host's own matter goes to the log alone."""

    @app.exception_handler(UserError)
    def _user_error(_: Request, error: UserError) -> JSONResponse:
        if isinstance(error.__cause__, DBAPIError):
            return _away(log, str(error))
        return answer(refusals.status(error), str(error))

    @app.exception_handler(DBAPIError)
    def _database(_: Request, error: DBAPIError) -> JSONResponse:
        return _away(log, str(error.orig))

    @app.exception_handler(Refused)
    def _refused(_: Request, error: Refused) -> JSONResponse:
        return answer(error.status, str(error), error.headers)

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, _WORDS.get(error.status_code, str(error.detail)), error.headers)

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # never the value itself: it may be a secret in the wrong place
        return _json(422, [_fault(each) for each in error.errors()])


def _away(log: Any, reason: str) -> JSONResponse:
    log.error("the store cannot be used", reason=reason)
    return answer(503, "the store cannot be reached at the moment; try again in a minute")


def _fault(error: Mapping[str, Any]) -> Fault:
    what, _, mend = str(error["msg"]).removeprefix("Value error, ").partition("; ")
    where = ".".join(str(part) for part in error["loc"])
    return Fault(where=where, what=what, mend=mend or "see /openapi.json")
