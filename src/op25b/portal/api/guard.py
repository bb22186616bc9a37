"""The bearer token's holder, what `staff.roles` lets him do, and a limit on tries with tokens that are none."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from op25b.errors import UserError
from op25b.portal.api.faults import Refused
from op25b.portal.api.tokens import Tokens
from op25b.portal.staff.roles import Action, Person
from op25b.subscribers.failures import Failures
from op25b.subscribers.lockout import block_of

FAILURES = 20
WINDOW_SECONDS = 900.0
_BLOCKS = 16384
_SCHEME = HTTPBearer(auto_error=False, description="made by `op25b api token add`")
Given = Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)]
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Guard:
    """Lets requests in. A token that is right is always let in, however often strangers failed from the same address:
    it cannot be guessed, and the desk may be behind the address that a stranger uses.
    """

    def __init__(
        self, tokens: Tokens, log: Any, count: Callable[[], object], now: Callable[[], float] = time.monotonic
    ) -> None:
        """`count` is called for each request that is not let in for its token."""
        self._tokens, self._log, self._count, self._now = tokens, log, count, now
        self._complaint = ""
        self._failures = Failures(_BLOCKS, FAILURES, WINDOW_SECONDS)

    def needs(self, action: Action) -> Any:
        """A dependency: the holder, if the token has a role that allows this."""

        def holder(request: Request, given: Given) -> Person:
            found = self._known(given)
            if found is None:
                raise self._failed(request, given)
            if not found.may(action):
                roles = ", ".join(sorted(found.roles))
                raise Refused(403, f"the token of {found.name} is for {roles}, which does not allow this: {action}")
            return found

        holder.action = action  # type: ignore[attr-defined]
        return Depends(holder)

    def _known(self, given: HTTPAuthorizationCredentials | None) -> Person | None:
        try:
            return None if given is None else self._tokens.holder(given.credentials)
        except UserError as error:
            if str(error) != self._complaint:  # once: strangers must not fill the log
                self._complaint = str(error)
                self._log.error("nobody is let in", reason=str(error))
            raise Refused(503, "no token can be looked at just now; tell the operator") from None

    def _failed(self, request: Request, given: HTTPAuthorizationCredentials | None) -> Refused:
        self._count()
        address = request.client.host if request.client else "::"
        block = block_of(ip_address(address)).encode()
        count = self._failures.count(block, self._now())
        if count >= FAILURES:
            wait = {"Retry-After": f"{WINDOW_SECONDS:.0f}"}
            return Refused(429, "too many tries without a token that is known; wait a while", wait)
        if given is None:
            return Refused(401, "a bearer token is missing; send Authorization: Bearer TOKEN", _CHALLENGE)
        self._failures.add(block, b"", self._now())
        self._log.warning("a token was refused", address=address, failures=count + 1)
        return Refused(401, "the bearer token is not known; `op25b api token add` makes one", _CHALLENGE)
