"""Customers whose accounts are Dovecot's: op25b has no record of them, and makes one up when they log in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from op25b.subscribers.accounts import Account
from op25b.subscribers.dovecot_auth import Away, DovecotAuth
from op25b.subscribers.lockout import Address
from op25b.subscribers.names import account_name, sender
from op25b.subscribers.passwords import Secret
from op25b.subscribers.turns import Full, OneByOne

WAITING = 500
_SINCE = datetime(1970, 1, 1, tzinfo=UTC)


class DovecotAccounts:
    """The users of one Dovecot. `domains`: the provider's, in which a user name without a domain is a mail address."""

    def __init__(self, auth: DovecotAuth, domains: Iterable[str]) -> None:
        self._auth, self._domains = auth, tuple(domains)
        self._turns = OneByOne(WAITING)

    async def check(self, name: str, password: str, address: Address) -> Account | None:
        """Whose password this is, None if nobody's. Raises Away (see `DovecotAuth`)."""
        answer = await self._auth.check(name, password, address)
        return None if answer.user is None else self.account(answer.user, answer.closed)

    def account(self, user: str, closed: str | None = None) -> Account | None:
        """The account of a user that Dovecot has; None for a name that can be no account's."""
        try:
            name = account_name(user)
            addresses = [name] if "@" in name else [f"{name}@{domain}" for domain in self._domains]
            senders = frozenset(sender(address) for address in addresses)
        except ValueError:
            return None
        return Account(name, Secret("", None), senders, {}, closed, 0, _SINCE, _SINCE)

    @asynccontextmanager
    async def in_turn(self, name: str, block: str) -> AsyncIterator[None]:
        """One try after the other of a name from a block: else a burst of guesses were asked before one is counted.

        Raises Away if too many wait.
        """
        try:
            async with self._turns.turn((name, block)):
                yield
        except Full:
            raise Away("too many passwords wait to be checked by Dovecot") from None

    async def close(self) -> None:
        await self._auth.close()
