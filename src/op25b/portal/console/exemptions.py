"""The queue of exemptions: requests, reviews, decisions."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from op25b.errors import UserError
from op25b.policy.fields import slug
from op25b.portal.console.context import Context
from op25b.portal.console.pages import Pages, went
from op25b.portal.desk.context import Context as Desks
from op25b.portal.staff.roles import Action, Person
from op25b.portal.web.forms import Asked, Posted
from op25b.store.audit import trail
from op25b.subscribers.exemptions import checks, criteria, listing, records
from op25b.subscribers.exemptions import request as requests
from op25b.subscribers.exemptions.records import Exemption
from op25b.subscribers.exemptions.transitions import OVER, Kind, State, Step, target

PAGE = 100
OVERRIDE = "override-"
STEPS = {
    Step.REVIEW: Action.ASK_EXEMPTION,
    Step.GRANT: Action.DECIDE_EXEMPTION,
    Step.RENEW: Action.DECIDE_EXEMPTION,
    Step.REFUSE: Action.DECIDE_EXEMPTION,
    Step.REVOKE: Action.DECIDE_EXEMPTION,
    Step.WITHDRAW: Action.ASK_EXEMPTION,
}
"""In the order in which they are shown."""


def router(context: Context, pages: Pages) -> APIRouter:
    """Their paths."""
    made = APIRouter()
    _looking(made, context, pages)
    _asking(made, context)
    _deciding(made, context)
    return made


def _looking(made: APIRouter, context: Context, pages: Pages) -> None:
    desks = context.desks
    see_exemptions = context.gate.needs(Action.SEE_EXEMPTIONS)

    @made.get("/{language:language}/exemptions")
    def listed(request: Request, asked: Asked, person: Person = see_exemptions) -> Response:
        states = [State(asked["state"])] if asked.get("state") in list(State) else []
        after = int(asked["after"]) if asked.get("after", "").isdecimal() else 0
        with desks.store.read() as connection:
            found = listing.listed(
                connection, desks.clock(), states or [each for each in State if each not in OVER],
                after=min(after, records.HIGHEST), limit=PAGE + 1,
            )  # fmt: skip
        return pages.page(
            request, person, "exemptions.html", found=found[:PAGE], more=len(found) > PAGE,
            state=states[0] if states else None, states=list(State), kinds=list(Kind), wanted=asked.get("for", ""),
        )  # fmt: skip

    @made.get("/{language:language}/exemptions/{number:number}")
    def one(request: Request, number: int, person: Person = see_exemptions) -> Response:
        with desks.store.read() as connection:
            found = listing.one(connection, number, desks.clock())
            history = trail(connection, records.subject(found.id))
        return pages.page(
            request, person, "exemption.html", found=found, history=history,
            steps=_possible(found, person),
            failed=sorted(found.failed()), needed=criteria.persons(desks.policy.exemption_terms, found.asked),
            approvers=desks.policy.exemption_terms.approvers,
        )  # fmt: skip


def _possible(found: Exemption, person: Person) -> list[str]:
    """The steps that the state, and the person's roles, allow; by their names in paths."""
    allowed = [step for step, action in STEPS.items() if target(found.state, step) is not None and person.may(action)]
    return ["approve" if step is Step.GRANT else step.value for step in allowed]


def _asking(made: APIRouter, context: Context) -> None:
    desks = context.desks
    ask_exemption = context.gate.needs(Action.ASK_EXEMPTION)

    @made.post("/{language:language}/exemptions")
    def ask(request: Request, posted: Posted, person: Person = ask_exemption) -> Response:
        context.forms.check(request, posted)
        noted = desks.desk.request(_asked(desks, posted), desks.by(person))
        desks.changed(person, records.subject(noted.id), "request")
        return went(request, f"exemptions/{noted.id}")

    @made.post("/{language:language}/exemptions/{number:number}/review")
    def review(request: Request, number: int, posted: Posted, person: Person = ask_exemption) -> Response:
        context.forms.check(request, posted)
        by = desks.by(person, _why(posted))
        look = checks.looking(desks.store, desks.policy, desks.resolver, by.at)
        return _done(request, desks, person, desks.desk.review(number, by, look, _seen(posted)), Step.REVIEW)

    @made.post("/{language:language}/exemptions/{number:number}/withdraw")
    def withdraw(request: Request, number: int, posted: Posted, person: Person = ask_exemption) -> Response:
        context.forms.check(request, posted)
        done = desks.desk.close(number, Step.WITHDRAW, desks.by(person, _why(posted)), _seen(posted))
        return _done(request, desks, person, done, Step.WITHDRAW)


def _deciding(made: APIRouter, context: Context) -> None:
    desks = context.desks
    decide_exemption = context.gate.needs(Action.DECIDE_EXEMPTION)

    @made.post("/{language:language}/exemptions/{number:number}/approve")
    def approve(request: Request, number: int, posted: Posted, person: Person = decide_exemption) -> Response:
        context.forms.check(request, posted)
        done = desks.desk.approve(number, desks.by(person, _why(posted)), _overrides(posted), _seen(posted))
        return _done(request, desks, person, done, "approve")

    @made.post("/{language:language}/exemptions/{number:number}/renew")
    def renew(request: Request, number: int, posted: Posted, person: Person = decide_exemption) -> Response:
        context.forms.check(request, posted)
        until, by = _day(desks, posted, "until"), desks.by(person, _why(posted))
        done = desks.desk.renew(number, by, None, until, _overrides(posted), _seen(posted))
        return _done(request, desks, person, done, Step.RENEW)

    @made.post("/{language:language}/exemptions/{number:number}/refuse")
    def refuse(request: Request, number: int, posted: Posted, person: Person = decide_exemption) -> Response:
        context.forms.check(request, posted)
        done = desks.desk.close(number, Step.REFUSE, desks.by(person, _why(posted)), _seen(posted))
        return _done(request, desks, person, done, Step.REFUSE)

    @made.post("/{language:language}/exemptions/{number:number}/revoke")
    def revoke(request: Request, number: int, posted: Posted, person: Person = decide_exemption) -> Response:
        context.forms.check(request, posted)
        done = desks.desk.close(number, Step.REVOKE, desks.by(person, _why(posted)), _seen(posted))
        return _done(request, desks, person, done, Step.REVOKE)


def _done(request: Request, desks: Desks, person: Person, done: Exemption, step: str) -> Response:
    desks.changed(person, records.subject(done.id), step)
    return went(request, f"exemptions/{done.id}")


def _asked(desks: Desks, posted: dict[str, str]) -> requests.Asked:
    kind = posted.get("kind", "")
    if kind not in list(Kind):
        raise UserError("it is not said what is to be exempt; choose a customer, addresses or a server")
    given: dict[str, Any] = {name: posted.get(name) or None for name in ("subscriber", "prefix", "domain", "server")}
    return requests.Asked(
        kind=Kind(kind), reason=posted.get("reason", ""), until_at=_day(desks, posted, "until"),
        fee_accepted="fee_accepted" in posted, **given,
    )  # fmt: skip


def _day(desks: Desks, posted: dict[str, str], name: str) -> datetime | None:
    """The end of a day that was chosen, in the provider's zone."""
    if not posted.get(name):
        return None
    try:
        day = date.fromisoformat(posted[name])
    except ValueError:
        raise UserError(f"{posted[name][:40]!r} is not a day; write it as 2027-03-31") from None
    return datetime.combine(day, time(23, 59, 59), ZoneInfo(desks.policy.provider.time_zone))


def _why(posted: dict[str, str]) -> str:
    return posted.get("why", "")[: requests.LONGEST_REASON]


def _overrides(posted: dict[str, str]) -> dict[str, str]:
    """Why criteria that failed do not matter; a field that was left empty is none."""
    return {slug(name.removeprefix(OVERRIDE)): why for name, why in posted.items() if name.startswith(OVERRIDE) and why}


def _seen(posted: dict[str, str]) -> int:
    """The version of the page that the form was on: nobody decides on what he has not seen."""
    version = posted.get("version", "")
    return int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else 0
