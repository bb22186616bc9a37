"""Phases with their dates and notices, and the bulletins."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from op25b.errors import UserError
from op25b.policy.table import Words
from op25b.portal.console.context import Context
from op25b.portal.console.pages import Pages, went
from op25b.portal.console.words import waiting
from op25b.portal.desk import phases
from op25b.portal.staff.roles import Action, Person
from op25b.portal.web.forms import Fields, Posted
from op25b.rollout import bulletins
from op25b.rollout.bulletins import Draft, Kind


def router(context: Context, pages: Pages) -> APIRouter:
    """Their paths."""
    made, desks = APIRouter(), context.desks
    see_phases = context.gate.needs(Action.SEE_PHASES)
    see_bulletins = context.gate.needs(Action.SEE_BULLETINS)
    write_bulletin = context.gate.needs(Action.WRITE_BULLETIN)

    @made.get("/{language:language}/phases")
    def all_phases(request: Request, person: Person = see_phases) -> Response:
        say = pages.templates.speaker(request)
        return pages.page(request, person, "phases.html", found=phases.look(desks, lambda wait: waiting(wait, say)))

    @made.get("/{language:language}/bulletins")
    def all_bulletins(request: Request, person: Person = see_bulletins) -> Response:
        now = desks.clock()
        with desks.store.read() as connection:
            found = bulletins.listed(connection)[::-1]
        return pages.page(request, person, "bulletins.html", found=found[:100], now=now, kinds=list(Kind))

    @made.post("/{language:language}/bulletins")
    def add(request: Request, posted: Posted, person: Person = write_bulletin) -> Response:
        context.forms.check(request, posted)
        draft = _draft(posted, ZoneInfo(desks.policy.provider.time_zone), desks.clock())
        with desks.store.write() as connection:
            kept = bulletins.add(connection, draft, desks.by(person))
        desks.changed(person, f"bulletin {kept.id}", "add")
        return went(request, "bulletins")

    @made.post("/{language:language}/bulletins/{number:number}/end")
    def end(request: Request, number: int, posted: Posted, person: Person = write_bulletin) -> Response:
        context.forms.check(request, posted)
        by = desks.by(person, posted.get("why", "")[: bulletins.LONGEST])
        with desks.store.write() as connection:
            bulletins.end(connection, number, by.at, by)
        desks.changed(person, f"bulletin {number}", "end")
        return went(request, "bulletins")

    return made


def _draft(posted: Fields, zone: ZoneInfo, now: datetime) -> Draft:
    if posted.get("kind") not in list(Kind):
        raise UserError("it is not said what it is; choose an outage or maintenance")
    from_ = _instant(posted.get("from", ""), zone) or now
    words = Words(ja=posted.get("ja", ""), en=posted.get("en", ""))
    return Draft(Kind(posted["kind"]), words, from_, _instant(posted.get("until", ""), zone))


def _instant(text: str, zone: ZoneInfo) -> datetime | None:
    """What a field for a day and a time of day has, in the provider's zone; None for an empty one."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        raise UserError(f"{text[:40]!r} is not a day and a time; write it as 2027-03-31T18:00") from None
