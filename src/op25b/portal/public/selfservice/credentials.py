"""Pages for user name and password: at once (claims I14, I15), by post (I16), back to the initial one (I17)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from op25b.answers.speech import mark
from op25b.policy.model import Brand, Policy
from op25b.portal.public.context import Context
from op25b.portal.public.selfservice import forms
from op25b.portal.public.selfservice.forms import ADDRESS, NAME, Field, Filled, Said
from op25b.portal.public.selfservice.servers import servers
from op25b.portal.public.selfservice.visits import block, too_often, visitor
from op25b.portal.public.site import Site
from op25b.portal.web import languages
from op25b.portal.web.forms import Posted
from op25b.portal.web.templates import Templates
from op25b.store.audit import By
from op25b.subscribers.credentials.acceptances import Acceptances
from op25b.subscribers.credentials.applications import WHO, Applications
from op25b.subscribers.credentials.issuing import Issuing
from op25b.subscribers.credentials.reissues import Reissues, Wanted, fee_due
from op25b.subscribers.credentials.tries import Refused

PATH = "/{language:language}/credentials"

POP_PASSWORD = Field(
    "password",
    mark("Present POP password"),
    mark("Please write your POP password."),
    mark("The password with which you receive mail now."),
    "password",
    "current-password",
    1024,
)
NUMBER = Field(
    "number",
    mark("Number on the notice of acceptance"),
    mark("Please write the number on your notice of acceptance."),
    longest=60,
)
CONTRACT = Field(
    "contract",
    mark("Contract number"),
    mark("Please write your contract number."),
    mark("It is on your bills."),
    longest=60,
)
POSTAL = Field(
    "postal",
    mark("Postal address"),
    mark("Please write your postal address."),
    mark("We send the letter only to the address that we have on file for your contract."),
    "lines",
    "street-address",
    400,
)
APPLY = (ADDRESS, POP_PASSWORD)
INITIAL = (ADDRESS, NUMBER)
REISSUE = (ADDRESS, NAME, CONTRACT, POSTAL)

_SAID = {
    Refused.WRONG: (422, mark("What you wrote does not match what we have. Please check each field and try again.")),
    Refused.WAIT: (429, mark("There were too many tries. Please wait {minutes} minutes, then try again.")),
    Refused.ENOUGH: (
        429,
        mark("There were many requests from you today. Please try again tomorrow, or contact us."),
    ),
    Refused.AWAY: (503, mark("We cannot check this at the moment. We are sorry; please try again in a few minutes.")),
    Refused.SUSPENDED: (403, mark("Sending is stopped for this address. Please contact us.")),
}


def router(site: Site) -> APIRouter:
    """Their paths: those that the policy offers."""
    made, context, templates = APIRouter(), site.context, site.templates
    offered = context.policy.credentials

    @made.get(PATH)
    def overview(request: Request) -> Response:
        return templates.page(request, "credentials.html", **_words(context))

    if offered.self_service:
        _apply(made, context, templates)
    if offered.initial_password:
        _initial(made, context, templates)
    if offered.reissue is not None:
        _reissue(made, context, templates)
    return made


def _apply(made: APIRouter, context: Context, templates: Templates) -> None:
    applications = _applications(context)
    form = _form(context, templates, "apply.html", APPLY)

    @made.get(PATH + "/{brand}")
    def ask(request: Request, brand: str) -> Response:
        return form(request, _brand(context.policy, brand), Filled(), 200)

    @made.post(PATH + "/{brand}")
    async def apply(request: Request, brand: str, posted: Posted) -> Response:
        context.forms.check(request, posted)
        found = _brand(context.policy, brand)
        filled = forms.read(APPLY, posted)
        address, password = forms.mail_address(filled, "address", found), filled.values.pop("password")
        if filled.faults:
            return form(request, found, filled, 422)
        issued = await applications.issue(found.name, address, password, visitor(context, request))
        if isinstance(issued, Refused):
            return form(request, found, *_refused(context, filled, issued))
        return templates.page(request, "issued.html", issued=issued, servers=servers(context.policy))


def _initial(made: APIRouter, context: Context, templates: Templates) -> None:
    applications = _applications(context)
    form = _form(context, templates, "initial.html", INITIAL)

    @made.get(PATH + "/{brand}/initial")
    def ask(request: Request, brand: str) -> Response:
        return form(request, _brand(context.policy, brand), Filled(), 200)

    @made.post(PATH + "/{brand}/initial")
    async def reset(request: Request, brand: str, posted: Posted) -> Response:
        context.forms.check(request, posted)
        found = _brand(context.policy, brand)
        filled = forms.read(INITIAL, posted)
        address = forms.mail_address(filled, "address", found)
        if filled.faults:
            return form(request, found, filled, 422)
        done = await applications.reset(found.name, address, filled.values["number"], visitor(context, request))
        if isinstance(done, Refused):
            return form(request, found, *_refused(context, filled, done))
        return templates.page(request, "initial_done.html", user_name=done, servers=servers(context.policy))


def _reissue(made: APIRouter, context: Context, templates: Templates) -> None:
    queue = Reissues(context.store)

    def form(request: Request, brand: Brand, filled: Filled, status: int = 200) -> Response:
        return templates.page(
            request, "reissue.html", status, brand=brand, fields=REISSUE, filled=filled, **_words(context)
        )

    @made.get(PATH + "/{brand}/reissue")
    def ask(request: Request, brand: str) -> Response:
        return form(request, _brand(context.policy, brand), Filled())

    @made.post(PATH + "/{brand}/reissue")
    def reissue(request: Request, brand: str, posted: Posted) -> Response:
        context.forms.check(request, posted)
        found = _brand(context.policy, brand)
        filled = forms.read(REISSUE, posted)
        address = forms.mail_address(filled, "address", found)
        fee = _fee_due(context)
        if fee is not None:
            forms.ticked(filled, posted, "fee", mark("To go on, please accept the fee."))
        if filled.faults:
            return form(request, found, filled, 422)
        if too_often(context, request):
            return form(request, found, *_refused(context, filled, Refused.ENOUGH))
        said = filled.values
        wanted = Wanted(found.name, address, said["name"], said["contract"], said["postal"], languages.of(request))
        by = By(WHO, context.clock(), f"asked for on the page of {found.name}, from {visitor(context, request)}")
        queue.request(wanted, fee, block(context, request), by)
        return templates.page(request, "reissue_received.html", wanted=wanted, fee=fee)


def _form(
    context: Context, templates: Templates, name: str, fields: Sequence[Field]
) -> Callable[[Request, Brand, Filled, int], Response]:
    """What answers with a form that proves something, for a brand, as it was filled in, with a status."""

    def form(request: Request, brand: Brand, filled: Filled, status: int) -> Response:
        headers = _wait(context, status)
        return templates.page(
            request, name, status, headers, brand=brand, fields=fields, filled=filled, **_words(context)
        )

    return form


def _applications(context: Context) -> Applications:
    kept = context.selfservice
    return Applications(
        kept.passwords, Issuing(context.store, kept.hasher, context.policy.credentials, context.random),
        Acceptances(context.store, kept.hasher), kept.tries, kept.new_passwords, kept.seconds, context.clock,
        context.log,
    )  # fmt: skip


def _refused(context: Context, filled: Filled, refused: Refused) -> tuple[Filled, int]:
    """The form once more, with why, and the status that says so."""
    status, message = _SAID[refused]
    minutes = math.ceil(context.selfservice.limits.window_seconds / 60)
    filled.notice = Said(message, {"minutes": str(minutes)})
    return filled, status


def _wait(context: Context, status: int) -> dict[str, str]:
    """When to come again (RFC 9110, 10.2.3), for programs."""
    return {"Retry-After": f"{context.selfservice.limits.window_seconds:.0f}"} if status == 429 else {}


def _brand(policy: Policy, name: str) -> Brand:
    for brand in policy.provider.brands:
        if brand.name == name:
            return brand
    raise HTTPException(404)


def _words(context: Context) -> dict[str, Any]:
    """What the pages tell of the policy. The fee is that of this day."""
    credentials = context.policy.credentials
    free = None if credentials.reissue is None else credentials.reissue.free
    return {
        "credentials": credentials,
        "fee": _fee_due(context),
        # the last day: the window ends at the instant before
        "free": None if free is None else (free.from_, free.until - timedelta(microseconds=1)),
        "free_is_over": free is not None and free.until <= context.clock(),
    }


def _fee_due(context: Context) -> Any:
    terms = context.policy.credentials.reissue
    return None if terms is None else fee_due(terms, context.clock())
