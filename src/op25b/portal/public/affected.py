"""Am I affected? A form, and the answer from the policy in force."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from fastapi import APIRouter, Request, Response

from op25b.answers import situation
from op25b.answers.blocks import Section
from op25b.answers.reply import reply
from op25b.answers.situation import Answer, Situation
from op25b.policy.model import Policy
from op25b.portal.public.site import Site, Visit
from op25b.portal.web.forms import Asked


def answered(site: Site, visit: Visit, asked: Situation) -> tuple[Answer, Policy]:
    """The answer, and the policy that it is by: for the visitor's own address with what the store grants there.

    Who else is exempt is nobody's business: other addresses are answered by the policy alone.
    """
    judge = site.standings.judge
    if asked.source is not None and asked.source == visit.address:
        servers = [asked.server] if isinstance(asked.server, IPv4Address | IPv6Address) else []
        with site.context.store.read() as connection:
            judge = site.standings.judge_of(connection, visit.address, servers, visit.at)
    return situation.answer(judge, asked, visit.at), judge.policy


def router(site: Site) -> APIRouter:
    """The page at /ja/affected and /en/affected."""
    made = APIRouter()

    @made.get("/{language:language}/affected")
    def affected(request: Request, fields: Asked) -> Response:
        visit = site.visit(request)
        asked = visit.asking.read(fields, visit.address)
        answer, sections = None, tuple[Section, ...]()
        if fields and asked.situation is not None:
            answer, policy = answered(site, visit, asked.situation)
            sections = reply(answer, policy, visit.say)
        return site.templates.page(
            request,
            "affected.html",
            asking=visit.asking,
            asked=asked,
            lines=visit.asking.lines(visit.address),
            answer=answer,
            sections=sections,
            content=site.contents.of("affected", visit.language, visit.at),
        )

    return made
