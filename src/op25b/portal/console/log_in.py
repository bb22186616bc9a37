"""Logging in and out."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from op25b.errors import UserError
from op25b.portal.console.context import Context
from op25b.portal.console.numbers import Counted
from op25b.portal.console.pages import Pages
from op25b.portal.staff.openid import Denied
from op25b.portal.web import languages
from op25b.portal.web.forms import Asked, Posted
from op25b.store.audit import By

_OURS = re.compile(r"(?!.*(?:\.\.|//))/(?:ja|en)/[A-Za-z0-9/?=&%._:@+-]*")
"""Where a log-in may lead on to: never to another host."""
_OPENID_SECONDS = 600


def router(context: Context, pages: Pages) -> APIRouter:
    """The paths that nobody needs to be logged in for."""
    made = APIRouter()
    _by_password(made, context, pages)
    if context.openid is not None:
        _by_openid(made, context, pages)

    @made.post("/{language:language}/log-out")
    def log_out(request: Request, posted: Posted) -> Response:
        context.forms.check(request, posted)
        response = RedirectResponse(f"/{languages.of(request)}/log-in", 303)
        return context.gate.let_out(request, response)

    return made


def _by_password(made: APIRouter, context: Context, pages: Pages) -> None:
    def form(request: Request, onward: str, refused: bool) -> Response:
        return pages.page(
            request, None, "log-in.html", 403 if refused else 200,
            onward=_onward(request, onward), refused=refused, openid=context.openid is not None,
        )  # fmt: skip

    @made.get("/{language:language}/log-in")
    def show(request: Request, asked: Asked) -> Response:
        return form(request, asked.get("next", ""), refused=False)

    @made.post("/{language:language}/log-in")
    def log_in(request: Request, posted: Posted) -> Response:
        context.forms.check(request, posted)
        onward, address = posted.get("next", ""), context.proxies.visitor(request)
        person = None
        if address is not None:
            name, password, code = (posted.get(each, "") for each in ("name", "password", "code"))
            person = context.logins.check(name, password, code, address)
        if person is None:
            context.count(Counted.REFUSED)
            context.desks.log.warning("a log-in of staff was refused", address=str(address))
            return form(request, onward, refused=True)
        context.count(Counted.LOG_INS)
        token = context.sessions.begin(person, None, By(person.name, context.desks.clock(), "password and code"))
        return context.gate.let_in(RedirectResponse(_onward(request, onward), 303), token)


def _by_openid(made: APIRouter, context: Context, pages: Pages) -> None:
    provider = context.openid
    assert provider is not None
    kept = "__Host-openid" if context.gate.secure else "openid"

    @made.get("/openid")
    def begin(request: Request) -> Response:
        """The browser goes to the provider; what it must bring back unchanged goes with it, sealed."""
        try:
            url, sealed = provider.begin()
        except UserError as error:
            return failed(request, str(error), 503)
        response = RedirectResponse(url, 303)
        # lax: the way back is from another site
        response.set_cookie(
            kept, sealed, _OPENID_SECONDS, path="/", secure=context.gate.secure, httponly=True, samesite="lax"
        )
        return response

    @made.get("/openid/back")
    def back(request: Request, asked: Asked) -> Response:
        """From the provider, with what it says. A page of ours leads on: the session's cookie is for our own pages."""
        try:
            known = provider.finish(asked, request.cookies.get(kept, ""))
        except Denied as denied:
            return failed(request, str(denied), 403)
        except UserError as error:
            return failed(request, str(error), 503)
        context.count(Counted.LOG_INS)
        by = By(known.person.name, context.desks.clock(), "OpenID Connect")
        token = context.sessions.begin(known.person, known.subject, by)
        onward = f"/{languages.of(request)}/"
        response = context.gate.let_in(pages.page(request, None, "onward.html", onward=onward), token)
        response.delete_cookie(kept, path="/", secure=context.gate.secure, httponly=True, samesite="lax")
        return response

    def failed(request: Request, reason: str, status: int) -> Response:
        context.count(Counted.REFUSED)
        context.desks.log.warning("a log-in by OpenID was refused", reason=reason)
        return pages.page(request, None, "openid-failed.html", status)


def _onward(request: Request, wanted: str) -> str:
    return wanted if _OURS.fullmatch(wanted) else f"/{languages.of(request)}/"
