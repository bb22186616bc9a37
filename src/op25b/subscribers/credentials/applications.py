"""Credentials at once: on proof of the POP password (claims I14, I15), or back to the initial one (claim I17)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

from op25b.store.audit import By
from op25b.subscribers.credentials.acceptances import Acceptances
from op25b.subscribers.credentials.issuing import Issued, Issuing, Suspended
from op25b.subscribers.credentials.proofs import Away, PopPasswords
from op25b.subscribers.credentials.tries import Allowance, Refused, Tries
from op25b.subscribers.lockout import Address

T = TypeVar("T")

WHO = "self-service"
"""Who does it, in the audit trail."""


class Applications:
    """For one event loop. `clock`: seconds that only go up; `wall`: the time of day. `log` never gets a secret.
    `left`: how many new passwords one address may have.

    Addresses are as `names.sender` gives them. What is Refused is so whether or not there is such an account.
    Raises UserError if the store cannot be used.
    """

    def __init__(
        self,
        passwords: PopPasswords,
        issuing: Issuing,
        acceptances: Acceptances,
        tries: Tries,
        left: Allowance,
        clock: Callable[[], float],
        wall: Callable[[], datetime],
        log: Any,
    ) -> None:
        self._passwords, self._issuing, self._acceptances = passwords, issuing, acceptances
        self._tries, self._left, self._clock, self._wall, self._log = tries, left, clock, wall, log

    async def issue(self, brand: str, address: str, password: str, visitor: Address) -> Issued | Refused:
        """User name and new password for whoever knows the POP password of a mailbox."""

        async def check() -> Issued | Refused:
            if not await self._passwords.check(address, password, visitor):
                return Refused.WRONG
            if not self._left.take(address, self._clock()):
                return Refused.ENOUGH
            by = self._by(f"POP password given on the page of {brand}, from {visitor}")
            return await asyncio.to_thread(self._issuing.issue, brand, address, by)

        return await self._attempt("POP", address, password, visitor, check)

    async def reset(self, brand: str, address: str, number: str, visitor: Address) -> str | Refused:
        """The initial password, for who knows the number on the notice of acceptance; gives the user name."""

        async def check() -> str | Refused:
            by = self._by(f"number of the notice given on the page of {brand}, from {visitor}")
            return await asyncio.to_thread(self._acceptances.reset, address, number, by) or Refused.WRONG

        return await self._attempt("notice", address, number, visitor, check)

    async def _attempt(
        self, what: str, address: str, proof: str, visitor: Address, check: Callable[[], Awaitable[T | Refused]]
    ) -> T | Refused:
        async def checked() -> T | Refused:
            try:
                return await check()
            except Suspended:
                return Refused.SUSPENDED
            except Away as away:
                self._log.warning("POP passwords cannot be checked", reason=str(away))
                return Refused.AWAY

        result = await self._tries.attempt(what, address, proof, visitor, checked)
        outcome = result.value if isinstance(result, Refused) else "done"
        self._log.info("credentials", proof=what, address=address, visitor=str(visitor), outcome=outcome)
        return result

    def _by(self, why: str) -> By:
        return By(WHO, self._wall(), why)
