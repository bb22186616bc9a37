"""The pages by which a visitor sets up a mail program: settings, a guide for each program, a profile, a QR code."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import segno
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup
from starlette.exceptions import HTTPException

from op25b.policy.model import Policy
from op25b.portal.public.site import Site
from op25b.portal.setup import guide, mobileconfig, signing
from op25b.portal.setup.profile import Profile, address, domain_name, needs_subdomain, own_submission, profile
from op25b.portal.setup.programs import BY_KEY, PROGRAMS
from op25b.portal.web import languages
from op25b.portal.web.forms import Asked, Fields, narrow


def router(site: Site) -> APIRouter:
    """Their paths; without an own server that takes submission there are none."""
    made, policy, settings = APIRouter(), site.policy, site.context.settings
    if own_submission(policy) is None:
        return made
    keys = settings.signing
    signer = signing.load(keys.certificate, keys.key) if keys else None

    @made.get("/{language:language}/setup")
    def start(request: Request, fields: Asked) -> Response:
        language = languages.of(request)
        if "address" in fields:
            domain = domain_name(narrow(fields["address"]))
            if domain is None or profile(policy, domain) is None:
                return site.templates.page(
                    request, "setup.html", status=404, **_asking(policy), written=fields["address"]
                )
            # the part before the @ goes no further: not into the history, nor into the QR code
            return RedirectResponse(_url(language, "", domain), 303)
        found = _asked(policy, fields) or _only(policy)
        if found is None:
            return site.templates.page(request, "setup.html", **_asking(policy), written=None)
        phone = f"{settings.url}{_url(language, '', found.domain)}"
        return site.templates.page(
            request, "setup-settings.html", **_asking(policy),
            found=found, content=guide.settings(policy, found, site.templates.speakers[language]),
            programs=PROGRAMS, url=lambda key: _url(language, key, found.domain), code=_code(phone), phone=phone,
        )  # fmt: skip

    @made.get("/{language:language}/setup/mail.mobileconfig")
    def apple(request: Request, fields: Asked) -> Response:
        say = site.templates.speaker(request)
        whom = address(fields.get("address", ""))
        found = profile(policy, whom.domain) if whom else _asked(policy, fields)
        text = say("A mail account with the settings for sending and receiving.")
        organization = say.pick(policy.provider.display)
        document = mobileconfig.document(found, organization, text, whom) if found else None
        if document is None:
            raise HTTPException(404)
        headers = {"Content-Disposition": 'attachment; filename="mail.mobileconfig"'}
        return Response(signer.sign(document) if signer else document, headers=headers, media_type=mobileconfig.TYPE)

    @made.get("/{language:language}/setup/{key}")
    def program(request: Request, key: str, fields: Asked) -> Response:
        language, chosen, found = languages.of(request), BY_KEY.get(key), _asked(policy, fields) or _only(policy)
        if chosen is None:
            raise HTTPException(404)
        if found is None:
            return RedirectResponse(f"/{language}/setup", 303)
        content = guide.guide(policy, found, chosen, site.templates.speakers[language])
        return site.templates.page(
            request, "setup-program.html", found=found, content=content, program=chosen,
            url=lambda key: _url(language, key, found.domain),
        )  # fmt: skip

    return made


def _url(language: str, key: str, domain: str) -> str:
    """A page of these, for a domain."""
    return f"/{language}/setup{'/' if key else ''}{key}?{urlencode({'domain': domain})}"


def _asked(policy: Policy, fields: Fields) -> Profile | None:
    domain = domain_name(fields.get("domain", ""))
    return profile(policy, domain) if domain else None


def _only(policy: Policy) -> Profile | None:
    """The settings that every visitor has, if there is no choice."""
    choices = _choices(policy)
    every = all(not needs_subdomain(policy, brand) for brand in policy.provider.brands)
    return choices[0] if len(choices) == 1 and every else None


def _choices(policy: Policy) -> list[Profile]:
    """A profile for each domain that has one as it stands."""
    domains = [domain.lower() for brand in policy.provider.brands for domain in brand.domains]
    return [found for domain in domains if (found := profile(policy, domain))]


def _asking(policy: Policy) -> dict[str, Any]:
    """What the form for another address needs: the domains that can be chosen, and an example for those that cannot."""
    under = [brand.domains[0] for brand in policy.provider.brands if brand.domains and needs_subdomain(policy, brand)]
    return {"choices": _choices(policy), "under": under}


@lru_cache(maxsize=256)
def _code(url: str) -> Markup:
    """A QR code (ISO/IEC 18004) as an <svg>; dark on light whatever the page's colours are, as cameras want it.

    Kept, as it takes longer to make than the rest of its page.
    """
    return Markup(segno.make(url, error="m").svg_inline(scale=4, border=4, dark="#000", light="#fff"))
