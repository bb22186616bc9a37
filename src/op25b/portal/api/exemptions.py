"""The paths of the interface to exemptions: it writes the store, and whatever follows the store does the rest."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response

from op25b.portal.api.bodies import (
    Approval,
    ExemptionShown,
    HistoryLine,
    Listed,
    NewRequest,
    Renewal,
    Short,
    Terms,
    Why,
)
from op25b.portal.api.faults import Refused
from op25b.portal.api.guard import Guard
from op25b.portal.desk.context import Context
from op25b.portal.staff.roles import Action, Person
from op25b.store.audit import trail
from op25b.subscribers.exemptions import checks, listing, records
from op25b.subscribers.exemptions.desk import Closing
from op25b.subscribers.exemptions.records import Exemption
from op25b.subscribers.exemptions.transitions import OVER, Kind, State, Step

PAGE = 100

Number = Annotated[int, Path(ge=1, le=records.HIGHEST)]
IfMatch = Annotated[str | None, Header(description="The ETag of the exemption that the step is for.", max_length=64)]


def router(context: Context, guard: Guard) -> APIRouter:
    """All paths."""
    made = APIRouter()
    _reading(made, context, guard.needs(Action.SEE_EXEMPTIONS))
    _asking(made, context, guard.needs(Action.ASK_EXEMPTION))
    _deciding(made, context, guard.needs(Action.DECIDE_EXEMPTION))

    @made.get("/terms", response_model=Terms)
    def published() -> dict[str, Any]:
        """On what terms exemptions are granted, and how many there are. For everybody: no token, no names."""
        return context.published()

    return made


def _reading(made: APIRouter, context: Context, reader: Any) -> None:
    @made.get("/exemptions", response_model=Listed)
    def listed(
        holder: Person = reader,
        state: Annotated[list[State] | None, Query(description="All that are not over if left out.")] = None,
        kind: Annotated[list[Kind] | None, Query()] = None,
        subscriber: Annotated[Short | None, Query()] = None,
        after: Annotated[int, Query(ge=0, le=records.HIGHEST)] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    ) -> dict[str, Any]:
        """Exemptions as they stand now, by number."""
        states = state or [each for each in State if each not in OVER]
        with context.store.read() as connection:
            found = listing.listed(
                connection, context.clock(), states, kind or tuple(Kind), subscriber, after, limit + 1
            )
        page = found[:limit]
        following = page[-1].id if len(found) > limit else None
        return {"exemptions": [exemption.shown() for exemption in page], "next": following}

    @made.get("/exemptions/{number}", response_model=ExemptionShown)
    def one(number: Number, response: Response, holder: Person = reader) -> dict[str, Any]:
        """One exemption; its ETag is for the steps."""
        with context.store.read() as connection:
            return _tagged(response, listing.one(connection, number, context.clock()))

    @made.get("/exemptions/{number}/history", response_model=list[HistoryLine])
    def history(number: Number, holder: Person = reader) -> list[dict[str, Any]]:
        """Who did what to it, when and why; oldest first."""
        with context.store.read() as connection:
            listing.one(connection, number, context.clock())
            lines = trail(connection, records.subject(number))
        return [{"at": line.at, "who": line.who, "what": line.what, "why": line.why} for line in lines]


def _asking(made: APIRouter, context: Context, clerk: Any) -> None:
    @made.post("/exemptions", status_code=201, response_model=ExemptionShown)
    def request(body: NewRequest, response: Response, holder: Person = clerk) -> dict[str, Any]:
        """Note a request. Nothing is exempt yet."""
        exemption = context.desk.request(body.asked(), context.by(holder))
        response.headers["Location"] = f"/exemptions/{exemption.id}"
        return _answered(context, response, exemption, holder, "request")

    @made.post("/exemptions/{number}/review", response_model=ExemptionShown)
    def review(
        number: Number, body: Why, response: Response, if_match: IfMatch = None, holder: Person = clerk
    ) -> dict[str, Any]:
        """Look at the criteria, before an approval or a renewal."""
        by = context.by(holder, body.why)
        look = checks.looking(context.store, context.policy, context.resolver, by.at)
        done = context.desk.review(number, by, look, _seen(if_match))
        return _answered(context, response, done, holder, Step.REVIEW)

    _closing(made, context, Step.WITHDRAW, clerk, "Who asked does not need it any more.")


def _deciding(made: APIRouter, context: Context, approver: Any) -> None:
    @made.post("/exemptions/{number}/approve", response_model=ExemptionShown)
    def approve(
        number: Number, body: Approval, response: Response, if_match: IfMatch = None, holder: Person = approver
    ) -> dict[str, Any]:
        """Grant what was reviewed, or be the first of two persons."""
        by = context.by(holder, body.why)
        done = context.desk.approve(number, by, body.reasons, _seen(if_match))
        return _answered(context, response, done, holder, "approve")

    @made.post("/exemptions/{number}/renew", response_model=ExemptionShown)
    def renew(
        number: Number, body: Renewal, response: Response, if_match: IfMatch = None, holder: Person = approver
    ) -> dict[str, Any]:
        """Prolong it after a review, or be the first of two persons."""
        by, seen = context.by(holder, body.why), _seen(if_match)
        done = context.desk.renew(number, by, body.review_at, body.until_at, body.reasons, seen)
        return _answered(context, response, done, holder, Step.RENEW)

    _closing(made, context, Step.REFUSE, approver, "Refuse what was asked for; with a reason.")
    _closing(made, context, Step.REVOKE, approver, "End what was granted, now; with a reason.")


def _closing(made: APIRouter, context: Context, step: Closing, role: Any, says: str) -> None:
    @made.post(f"/exemptions/{{number}}/{step}", response_model=ExemptionShown, name=str(step), description=says)
    def close(
        number: Number, body: Why, response: Response, if_match: IfMatch = None, holder: Person = role
    ) -> dict[str, Any]:
        done = context.desk.close(number, step, context.by(holder, body.why), _seen(if_match))
        return _answered(context, response, done, holder, step)


def _seen(if_match: str | None) -> int:
    """The version that a step is for (RFC 9110, 13.1.1; RFC 6585, 3): nobody decides on what he has not seen."""
    if if_match is None:
        raise Refused(428, "If-Match is missing; send the ETag of the exemption that was looked at")
    text = if_match.strip().strip('"')
    if not (text.isascii() and text.isdecimal()):
        raise Refused(412, "If-Match is not an ETag of this exemption; send the one that came with it")
    return int(text)


def _answered(context: Context, response: Response, exemption: Exemption, who: Person, step: str) -> dict[str, Any]:
    context.changed(who, records.subject(exemption.id), step)
    return _tagged(response, exemption)


def _tagged(response: Response, exemption: Exemption) -> dict[str, Any]:
    response.headers["ETag"] = f'"{exemption.version}"'
    return exemption.shown()
