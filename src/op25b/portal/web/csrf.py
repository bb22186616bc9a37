"""Forms that change something are taken from our own pages only.

A form holds a token that is made from a cookie which other sites can neither read nor send (SameSite=Strict, and the
prefix __Host- where TLS is spoken), and the browser must not say that it comes from elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FIELD = "form_token"
_OCTETS = 16


class Forms:
    """`url`: what visitors write to come here. `key`: the same in all processes that serve them, and after a restart
    of one; `random`: gives so many unguessable octets.
    """

    def __init__(self, url: str, key: bytes, random: Callable[[int], bytes]) -> None:
        self._url, self._key, self._random = urlsplit(url), key, random
        self._secure = self._url.scheme == "https"
        self.cookie = "__Host-form" if self._secure else "form"

    def field(self, request: Request) -> Markup:
        """The hidden field that a form needs; the answer it stands in must go through `bound`."""
        cookie = self._cookie(request)
        if cookie is None:
            cookie = request.state.form_cookie = self._random(_OCTETS).hex()
        return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, self._token(cookie))

    def bound(self, request: Request, response: Response) -> Response:
        """The response, with the cookie that its forms need."""
        if (made := getattr(request.state, "form_cookie", None)) is not None:
            response.set_cookie(self.cookie, made, path="/", secure=self._secure, httponly=True, samesite="strict")
        return response

    def check(self, request: Request, fields: dict[str, str]) -> None:
        """Raises HTTPException 403 for a form that is not from one of our pages, or from one of long ago."""
        cookie = self._cookie(request)
        given = fields.pop(FIELD, "").encode()
        right = cookie is not None and hmac.compare_digest(given, self._token(cookie).encode())
        if not right or not self._from_here(request):
            raise HTTPException(403)

    def _cookie(self, request: Request) -> str | None:
        found = request.cookies.get(self.cookie, getattr(request.state, "form_cookie", None))
        return found if found is not None and len(found) == 2 * _OCTETS else None

    def _token(self, cookie: str) -> str:
        return hmac.new(self._key, cookie.encode(), hashlib.sha256).hexdigest()

    def _from_here(self, request: Request) -> bool:
        """As Origin says (RFC 6454, 7.3); browsers of old say nothing, and the token must do."""
        origin = request.headers.get("origin")
        if origin is None:
            return True
        return urlsplit(origin).netloc in (self._url.netloc, request.headers.get("host"))
