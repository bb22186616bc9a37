"""Let us check the sending server: what can be seen from the provider's side, and what only from the visitor's."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from op25b.answers.speech import Speaker, mark
from op25b.doctor.probe.outcomes import Outcome, Try
from op25b.portal.public.numbers import Counted
from op25b.portal.public.reach import No
from op25b.portal.public.site import Site
from op25b.portal.web.forms import Posted, narrow

_NO = {
    No.NO_NAME: mark("Please write the name of the server as it is set in your mail program, as in smtp.example.com."),
    No.UNKNOWN: mark("There is no server of this name. Please look whether it is spelt as in your provider's guide."),
    No.CLOSED: mark("This name leads to a private network, which we cannot reach from here."),
    No.OFTEN: mark("Several checks were started from your connection already. Please try again in ten minutes."),
    No.BUSY: mark("Many checks are under way just now. Please try again in a minute."),
}
_OUTCOMES = {
    Outcome.UNREACHABLE: mark("Our network cannot reach it."),
    Outcome.DROPPED: mark("No answer."),
    Outcome.REFUSED: mark("The server refuses the connection: it does not offer this port."),
    Outcome.PROHIBITED: mark("A filter on the way refuses the connection."),
    Outcome.STRIPPED: mark("The server answers, but offers no encryption (STARTTLS)."),
    Outcome.INTERCEPTED: mark("The server answers, but its certificate is not for this name, or is not valid."),
    Outcome.WORKS: mark("The server takes mail from mail programs here."),
}
_OTHERWISE = mark("Something answers, but not as a mail server should.")


@dataclass(frozen=True)
class Line:
    """What came of one try, in words."""

    port: int
    address: str
    text: str
    works: bool


def router(site: Site) -> APIRouter:
    """The page at /ja/check and /en/check: a form, and what came of it."""
    made = APIRouter()

    @made.get("/{language:language}/check")
    def form(request: Request) -> Response:
        return site.templates.page(request, "check.html", host="", lines=[], fault="")

    @made.post("/{language:language}/check")
    def check(request: Request, fields: Posted) -> Response:
        site.forms.check(request, fields)
        visit = site.visit(request)
        host = narrow(fields.get("host", ""))
        found = site.context.reach.check(site.standings.judge, host, visit.address)
        site.context.count(Counted.CHECKS)
        if isinstance(found, No):
            status = 429 if found in (No.OFTEN, No.BUSY) else 422
            fault = visit.say(_NO[found])
            return site.templates.page(request, "check.html", status, host=host, lines=[], fault=fault)
        lines = [_line(each, visit.say) for each in found.tries]
        own = bool(site.policy.own_servers_called(found.name))
        return site.templates.page(request, "check.html", host=found.name, lines=lines, fault="", own=own)

    return made


def _line(tried: Try, say: Speaker) -> Line:
    works = tried.outcome is Outcome.WORKS
    return Line(tried.target.port, tried.address, say(_OUTCOMES.get(tried.outcome, _OTHERWISE)), works)
