"""Pages for exemptions (claims I5, I6, I10): on what terms, the three forms, and where a request stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from op25b.answers import terms
from op25b.answers.speech import mark
from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.policy.table import Words
from op25b.policy.terms import Criteria, DestinationCriteria
from op25b.portal.public.context import Context
from op25b.portal.public.selfservice import forms
from op25b.portal.public.selfservice.forms import ADDRESS, NAME, Field, Filled, Said
from op25b.portal.public.selfservice.visits import too_often, visitor
from op25b.portal.public.site import Site
from op25b.portal.web import languages
from op25b.portal.web.forms import Posted, narrow
from op25b.portal.web.templates import Templates
from op25b.store.audit import By
from op25b.subscribers.credentials.applications import WHO
from op25b.subscribers.exemptions.applicants import Applicant, Applicants
from op25b.subscribers.exemptions.request import LONGEST_REASON, Asked, domain_of, prefix_of
from op25b.subscribers.exemptions.transitions import Kind, State
from op25b.subscribers.leases.facts import checked_name

PATH = "/{language:language}/exemptions"

SUBSCRIBER = Field(
    "subscriber",
    mark("User name of your connection"),
    mark("Please write the user name of your connection."),
    mark("The one with which your router connects (PPP); it is on your notice of acceptance."),
    longest=253,
)
PREFIX = Field(
    "prefix",
    mark("Address of your mail server"),
    mark("Please write the address of your mail server."),
    mark("As in 192.0.2.25, or a range such as 192.0.2.24/29 or 2001:db8:42::/64."),
    longest=60,
)
DESTINATION = Field(
    "prefix",
    mark("Address of the server to be reached"),
    mark("Please write the address of the server."),
    mark("As in 192.0.2.25, or a range such as 192.0.2.24/29 or 2001:db8:42::/64."),
    longest=60,
)
DOMAIN = Field("domain", mark("Domain that you send for"), hint=mark("Your own, as in company.example."), longest=253)
REASON = Field(
    "reason",
    mark("What you send, and why it needs port 25"),
    mark("Please write what you send, and why it cannot go through port 587."),
    type="lines",
    longest=LONGEST_REASON,
)

FIELDS: Mapping[Kind, tuple[Field, ...]] = {
    Kind.SUBSCRIBER: (NAME, ADDRESS, SUBSCRIBER, DOMAIN, REASON),
    Kind.PREFIX: (NAME, ADDRESS, PREFIX, DOMAIN, REASON),
    Kind.DESTINATION: (NAME, ADDRESS, DESTINATION, DOMAIN, REASON),
}
_MENDS = {
    "subscriber": Said(mark("This is not the user name of a connection. Please write it as it is on your notice.")),
    "prefix": Said(mark("This is not an address that can be exempt. Please write one, or a small range.")),
    "domain": Said(mark("This is not a domain that mail is sent for. Please write one such as company.example.")),
}
_CHECKS: Mapping[str, Callable[[Kind, str, Policy], object]] = {
    "subscriber": lambda kind, text, policy: checked_name("subscriber", text),
    "prefix": prefix_of,
    "domain": lambda kind, text, policy: domain_of(text),
}


def router(site: Site) -> APIRouter:
    """Their paths; the forms where the policy offers exemptions."""
    made, context, templates = APIRouter(), site.context, site.templates

    @made.get(PATH)
    def overview(request: Request) -> Response:
        say = templates.speaker(request)
        conditions = {kind: terms.conditions(_criteria(context, kind), context.policy, say) for kind in Kind}
        return templates.page(
            request, "exemptions.html", terms=context.policy.exemption_terms, kinds=_KINDS, conditions=conditions,
            common=terms.common(context.policy, say),
        )  # fmt: skip

    if context.policy.exemption_terms.offered:
        _forms(made, context, templates)
        _standing(made, context, templates)
    return made


def _forms(made: APIRouter, context: Context, templates: Templates) -> None:
    applicants = Applicants(context.store, context.random)

    def form(request: Request, kind: Kind, filled: Filled, status: int = 200) -> Response:
        say = templates.speaker(request)
        conditions = terms.conditions(_criteria(context, kind), context.policy, say)
        return templates.page(
            request, "exemption_form.html", status, kind=kind, kinds=_KINDS, fields=_fields(context, kind),
            filled=filled, fee=_fee(context, kind), conditions=conditions,
        )  # fmt: skip

    @made.get(PATH + "/{kind}")
    def ask(request: Request, kind: str) -> Response:
        return form(request, _kind(kind), Filled())

    @made.post(PATH + "/{kind}")
    def apply(request: Request, kind: str, posted: Posted) -> Response:
        context.forms.check(request, posted)
        wanted = _kind(kind)
        filled = forms.read(_fields(context, wanted), posted)
        contact = forms.mail_address(filled, "address")
        accepted = _fee(context, wanted) is not None and forms.ticked(
            filled, posted, "fee", mark("To go on, please accept the fee.")
        )
        asked = _asked(context, wanted, filled, accepted)
        if filled.faults:
            return form(request, wanted, filled, 422)
        if too_often(context, request):
            filled.notice = Said(
                mark("There were many requests from you today. Please try again tomorrow, or contact us.")
            )
            return form(request, wanted, filled, 429)
        applicant = Applicant(filled.values["name"], contact, languages.of(request))
        by = By(WHO, context.clock(), f"asked for on the page, from {visitor(context, request)}")
        reference = applicants.ask(context.policy, asked, applicant, by)
        return templates.page(request, "exemption_received.html", reference=reference, contact=contact)


def _standing(made: APIRouter, context: Context, templates: Templates) -> None:
    applicants = Applicants(context.store, context.random)

    @made.get(PATH + "/status/{reference}")
    def standing(request: Request, reference: str) -> Response:
        found = applicants.standing(reference, context.clock())
        if found is None:
            raise HTTPException(404)
        return templates.page(request, "exemption_status.html", standing=found, states=_STATES)


_KINDS = {
    Kind.SUBSCRIBER: mark("For your line, whatever address it has"),
    Kind.PREFIX: mark("For a mail server on a fixed address"),
    Kind.DESTINATION: mark("For a server elsewhere that our customers should reach"),
}
_STATES = {
    State.REQUESTED: mark("We have your request and will look at it."),
    State.UNDER_REVIEW: mark("We are looking at your request."),
    State.GRANTED: mark("It is granted: port 25 is open for what you asked."),
    State.EXPIRING: mark("It is granted, and will end soon. If you need it longer, please contact us."),
    State.REFUSED: mark("We could not grant it. If you have questions, please contact us."),
    State.WITHDRAWN: mark("It was withdrawn."),
    State.REVOKED: mark("It was ended. If you have questions, please contact us."),
    State.ENDED: mark("Its time is over. If you still need it, please ask again."),
}


def _kind(name: str) -> Kind:
    if name not in set(Kind):
        raise HTTPException(404)
    return Kind(name)


def _criteria(context: Context, kind: Kind) -> DestinationCriteria:
    wanted: Criteria | DestinationCriteria = getattr(context.policy.exemption_terms, kind)
    return wanted


def _fee(context: Context, kind: Kind) -> Words | None:
    """What an exemption of this kind costs, if anything."""
    return context.policy.exemption_terms.fee if _criteria(context, kind).fee else None


def _fields(context: Context, kind: Kind) -> tuple[Field, ...]:
    """The domain must be named where the policy asks for one."""
    if not _criteria(context, kind).own_domain:
        return FIELDS[kind]
    needed = replace(DOMAIN, missing=mark("Please write the domain that you send for."))
    return tuple(needed if each is DOMAIN else each for each in FIELDS[kind])


def _asked(context: Context, kind: Kind, filled: Filled, fee_accepted: bool) -> Asked:
    """What is asked for, each field checked as the desk's request is; what is wrong goes into `filled`."""
    said = {name: narrow(filled.values.get(name, "")) or None for name in _CHECKS}
    for name, value in said.items():
        if value is not None and name not in filled.faults:
            try:
                _CHECKS[name](kind, value, context.policy)
            except (UserError, ValueError):
                filled.faults[name] = _MENDS[name]
    return Asked(
        kind, said["subscriber"], said["prefix"], filled.values["reason"], domain=said["domain"],
        fee_accepted=fee_accepted,
    )  # fmt: skip
