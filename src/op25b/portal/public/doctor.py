"""The check for the visitor's own computer: a page about it, and the file, with this provider's servers in it."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, Request, Response

from op25b.doctor import download
from op25b.portal.public.site import Site

_PATH = f"/doctor/{download.FILE_NAME}"


def router(site: Site) -> APIRouter:
    """The file, and the page at /ja/doctor and /en/doctor."""
    made = APIRouter()
    translated = download.translated(site.templates.speakers["ja"].translations.gettext)
    text = download.rendered(translated, download.provider(site.policy)).encode()
    digest = hashlib.sha256(text).hexdigest()

    @made.get(_PATH)
    def file() -> Response:
        headers = {"Content-Disposition": f'attachment; filename="{download.FILE_NAME}"'}
        return Response(text, media_type="text/x-python; charset=utf-8", headers=headers)

    @made.get("/{language:language}/doctor")
    def page(request: Request) -> Response:
        return site.templates.page(
            request, "doctor.html", file=_PATH, name=download.FILE_NAME, digest=digest, kilobytes=len(text) // 1024 + 1
        )

    return made
