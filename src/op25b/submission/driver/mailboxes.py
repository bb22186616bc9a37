"""Is there such a mailbox? Asked before a stranger's mail to a local domain is taken: a bounce later hits the innocent.

By the accounts in the store, or by the mailbox server: a MAIL and RCPT that no message follows (Postfix's
`reject_unverified_recipient` does so).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from op25b.errors import Missing, UserError
from op25b.submission.relay import mx
from op25b.submission.relay.connect import Connection, Contexts, Target, Unreachable, connect
from op25b.submission.relay.outcome import Reply, Result, of_reply
from op25b.submission.relay.settings import NextHop, Timeouts
from op25b.submission.relay.wire import Lost
from op25b.subscribers.addressees import Addressees

THERE_SECONDS, MISSING_SECONDS = 12 * 3600.0, 600.0
"""How long an answer is believed: a new mailbox can soon be written to."""
KEPT = 20_000
AT_ONCE = 10
"""Questions of one worker that are open at a time."""
PATIENCE_SECONDS = 15.0


class Unknown(Exception):
    """Nobody can say just now; why is for the log."""


class Mailboxes(Protocol):
    """What knows the mailboxes of the local domains."""

    async def has(self, address: str) -> bool:
        """Raises Unknown."""


class ByAccounts:
    """Those of the accounts in the store."""

    def __init__(self, addressees: Addressees) -> None:
        self._addressees = addressees

    async def has(self, address: str) -> bool:
        try:
            return await asyncio.to_thread(self._addressees.exists, address)
        except (UserError, Missing, SQLAlchemyError) as error:
            raise Unknown(str(error)) from error


class ByCall:
    """Those that the domain's route takes mail for. `clock`: seconds that only go up."""

    def __init__(
        self,
        routes: Mapping[str, NextHop],
        own_name: str,
        resolver: mx.Resolver,
        tls: Contexts,
        clock: Callable[[], float],
    ) -> None:
        self._routes, self._own_name = routes, own_name
        self._resolver, self._tls, self._clock = resolver, tls, clock
        self._kept: OrderedDict[str, tuple[bool, float]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[bool]] = {}

    async def has(self, address: str) -> bool:
        kept = self._kept.get(address)
        if kept is not None and self._clock() < kept[1]:
            return kept[0]
        if address not in self._asked:
            if len(self._asked) >= AT_ONCE:
                raise Unknown("too many mailboxes are being asked for")
            task = self._asked[address] = asyncio.create_task(self._ask(address))
            task.add_done_callback(lambda _: self._asked.pop(address))
        return await asyncio.shield(self._asked[address])

    async def _ask(self, address: str) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await self._call(address)
        except TimeoutError:
            raise Unknown(f"no answer within {PATIENCE_SECONDS:g} seconds") from None
        self._kept[address] = found, self._clock() + (THERE_SECONDS if found else MISSING_SECONDS)
        self._kept.move_to_end(address)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    async def _call(self, address: str) -> bool:
        connection = await self._connected(self._routes[address.rpartition("@")[2].lower().rstrip(".")])
        try:
            # RFC 5321 4.5.5: with <> no answer goes to anybody
            mail = "MAIL FROM:<>" if address.isascii() else "MAIL FROM:<> SMTPUTF8"
            if (reply := await _told(connection, mail)).code // 100 != 2:
                raise Unknown(f"{connection.name}: {reply.text}")
            return _means(await _told(connection, f"RCPT TO:<{address}>"), connection.name)
        except Lost as lost:
            raise Unknown(f"{connection.name}: {lost}") from None
        finally:
            connection.wire.close()

    async def _connected(self, hop: NextHop) -> Connection:
        last = Unknown(f"{hop.host} has no address")
        try:
            async for name, address in mx.reachable([hop.host], self._resolver):
                target = Target(name, address, hop.port, hop.tls, hop.implicit_tls, hop.username, hop.password)
                try:
                    return await connect(target, self._own_name, self._tls, Timeouts())
                except Unreachable as error:
                    last = Unknown(error.outcome.text)
        except mx.NoRoute as error:
            last = Unknown(error.outcome.text)
        raise last


async def _told(connection: Connection, command: str) -> Reply:
    await connection.wire.send(command.encode() + b"\r\n", PATIENCE_SECONDS)
    return await connection.wire.reply(PATIENCE_SECONDS)


def _means(reply: Reply, name: str) -> bool:
    """A refusal for the mailbox's state, or for our rights (RFC 3463: 5.2, 5.3, 5.7), does not say it is not there."""
    outcome = of_reply(reply, name)
    if outcome.result is Result.DEFERRED or outcome.status.startswith(("5.2.", "5.3.", "5.7.")):
        raise Unknown(f"{name}: {reply.text}")
    return outcome.result is Result.DELIVERED
