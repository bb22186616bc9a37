"""Who is at the page, and whether he may be: the session's cookie, and what `staff.roles` allows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from op25b.portal.staff.roles import Action, Person
from op25b.portal.staff.sessions import Sessions

_LONGEST_COOKIE = 200


class NotLoggedIn(Exception):
    """Nobody is: the way leads to the log-in."""


class NotAllowed(Exception):
    """Somebody is who may not do that."""

    def __init__(self, person: Person, action: Action) -> None:
        super().__init__(action)
        self.person, self.action = person, action


class Gate:
    """`url`: as staff write it; where it is https, the cookie is bound to this host and to TLS (`__Host-`)."""

    def __init__(self, sessions: Sessions, url: str, clock: Callable[[], datetime]) -> None:
        self._sessions, self._clock = sessions, clock
        self.secure = urlsplit(url).scheme == "https"
        self.cookie = "__Host-staff" if self.secure else "staff"

    def needs(self, action: Action, present: bool = True) -> Any:
        """A dependency: the person, if one of his roles allows this. Raises NotLoggedIn and NotAllowed.

        `present` false: the request comes by itself, and does not show that somebody is still there.
        """

        def person(request: Request) -> Person:
            found = self.person(request, present)
            if found is None:
                raise NotLoggedIn
            if not found.may(action):
                raise NotAllowed(found, action)
            return found

        person.action = action  # type: ignore[attr-defined]
        return Depends(person)

    def person(self, request: Request, present: bool = True) -> Person | None:
        """Who is logged in, if anybody is."""
        token = self._token(request)
        return None if token is None else self._sessions.find(token, self._clock(), present)

    def let_in(self, response: Response, token: str) -> Response:
        """With the cookie of a new session: it ends with the browser, and other sites cannot send it."""
        response.set_cookie(self.cookie, token, path="/", secure=self.secure, httponly=True, samesite="strict")
        return response

    def let_out(self, request: Request, response: Response) -> Response:
        """End the session."""
        if (token := self._token(request)) is not None:
            self._sessions.end(token)
        response.delete_cookie(self.cookie, path="/", secure=self.secure, httponly=True, samesite="strict")
        return response

    def _token(self, request: Request) -> str | None:
        found = request.cookies.get(self.cookie)
        return found if found is not None and len(found) <= _LONGEST_COOKIE else None
