"""The first page: the visitor's own line, and what becomes of port 25 there now."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from op25b.answers import situation
from op25b.answers.blocks import Section
from op25b.answers.naming import called, named
from op25b.answers.reply import reply
from op25b.answers.situation import Affected, Situation
from op25b.answers.speech import Speaker
from op25b.policy.intervals import Address
from op25b.policy.model import Policy, Pool
from op25b.portal.public import notices
from op25b.portal.public.ago import ago
from op25b.portal.public.site import Site, Visit
from op25b.portal.public.standing import Attempt, last_attempt


@dataclass(frozen=True)
class Found:
    """What is known of the visitor's line: the answer for sending to others' servers on port 25, and facts in words."""

    heading: str
    affected: Affected
    sections: list[Section]
    facts: list[tuple[str, str]]


def router(site: Site) -> APIRouter:
    """The page at /ja/ and /en/."""
    made = APIRouter()

    @made.get("/{language:language}/")
    def home(request: Request) -> Response:
        visit = site.visit(request)
        pool = None if visit.address is None else site.standings.pool_of(visit.address)
        with site.context.store.read() as connection:
            told = notices.shown(site.notices.current(connection, visit.at), visit.say, visit.at)
            found = (
                None if visit.address is None or pool is None else _found(site, connection, visit, visit.address, pool)
            )
        return site.templates.page(request, "home.html", notices=told, address=visit.address, found=found)

    return made


def _found(site: Site, connection: Connection, visit: Visit, address: Address, pool: Pool) -> Found:
    judge = site.standings.judge_of(connection, address, [], visit.at)
    answer = situation.answer(judge, Situation(address), visit.at)
    wanted = ("answer", "do") if answer.affected in (Affected.YES, Affected.LATER) else ("answer",)
    sections = [each for each in reply(answer, judge.policy, visit.say) if each.key in wanted]
    facts = _line(address, pool, site.policy, visit.say)
    facts += _attempt(last_attempt(connection, address, visit.at), visit)
    heading = visit.say("Your line: {line}", line=called(pool, site.policy, visit.say))
    return Found(heading, answer.affected, sections, facts)


def _line(address: Address, pool: Pool, policy: Policy, say: Speaker) -> list[tuple[str, str]]:
    facts = [(say("Your address"), str(address)), (say("Line"), named(pool.line or pool.name, policy, say))]
    if pool.region is not None:
        facts.append((say("Region"), named(pool.region, policy, say)))
    if pool.assignment is not None:
        kind = say("fixed IP address") if pool.assignment == "static" else say("dynamic IP address")
        facts.append((say("Kind of address"), kind))
    return facts


def _attempt(attempt: Attempt | None, visit: Visit) -> list[tuple[str, str]]:
    if attempt is None:
        return []
    say, passed = visit.say, ago(visit.at - attempt.at, visit.say)
    head = say("Last refused attempt on port 25") if attempt.refused else say("Last attempt on port 25")
    time = say.instant(attempt.at)
    if attempt.target is None:
        return [(head, say("{ago}: {time}", ago=passed, time=time))]
    return [(head, say("{ago}: {time}, to {target}", ago=passed, time=time, target=attempt.target))]
