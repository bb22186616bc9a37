"""What mail programs ask for by themselves: autoconfig, Autodiscover. No page is made here, and nothing is stored."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from op25b.policy.model import Policy
from op25b.portal.public.site import Site
from op25b.portal.setup import autoconfig, autodiscover
from op25b.portal.setup.paths import AUTODISCOVER, POINTERS
from op25b.portal.setup.profile import Profile, address, domain_name, profile
from op25b.portal.web.forms import Asked

_XML = "text/xml; charset=utf-8"


def router(site: Site) -> APIRouter:
    """Their paths, which are those of the programs."""
    made, policy = APIRouter(), site.policy

    def known(text: str) -> Profile | None:
        domain = domain_name(text)
        return profile(policy, domain) if domain else None

    def autoconfigured(request: Request, fields: Asked) -> Response:
        # Thunderbird sends the address only where its user allows; the host that it asks tells the domain too
        host = request.headers.get("host", "").partition(":")[0].lower().removeprefix("autoconfig.")
        found = known(fields.get("emailaddress", "")) or known(host)
        document = autoconfig.document(found) if found else None
        if document is None:
            raise HTTPException(404)
        return Response(document, media_type=_XML)

    for path in autoconfig.PATHS:
        made.get(path)(autoconfigured)

    @made.api_route(AUTODISCOVER, methods=["GET", "POST"])
    async def discovered(request: Request) -> Response:
        return Response(_answer(policy, await request.body(), site.context.clock()), media_type=_XML)

    def pointed(request: Request, fields: Asked) -> Response:
        asked = {name.lower(): value for name, value in fields.items()}
        protocol = asked.get("protocol", "")
        if protocol.lower() != "autodiscoverv1":
            message = "The given protocol value is invalid. Supported values are 'AutodiscoverV1'"
            return JSONResponse(autodiscover.no_pointer("InvalidProtocol", message), 400)
        found = known(request.path_params.get("given") or asked.get("email", ""))
        if found is None:
            message = "There are no settings for the domain of this address."
            return JSONResponse(autodiscover.no_pointer("DomainNotFound", message), 404)
        return JSONResponse(autodiscover.pointer(found))

    for path in POINTERS:
        made.get(path)(pointed)
    return made


def _answer(policy: Policy, body: bytes, at: datetime) -> bytes:
    try:
        asked = autodiscover.read(body)
    except autodiscover.Invalid:
        return autodiscover.error(autodiscover.INVALID, at)
    if asked.schema != autodiscover.SETTINGS:
        return autodiscover.error(autodiscover.NO_PROVIDER, at)
    whom = address(asked.address)
    found = profile(policy, whom.domain) if whom else None
    if whom is None or found is None:
        return autodiscover.error(autodiscover.NO_ADDRESS, at)
    return autodiscover.settings(found, whom)
