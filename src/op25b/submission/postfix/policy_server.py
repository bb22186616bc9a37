"""Postfix's policy service as it is served: connections, accounts, one answer after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from structlog.typing import FilteringBoundLogger

from op25b.submission.driver.rights import Client, Relaying, Source
from op25b.submission.postfix.endpoints import client_address
from op25b.submission.postfix.policy import UNAVAILABLE, Attributes, Decisions
from op25b.submission.postfix.policy_wire import Malformed, Requests, action
from op25b.subscribers.async_login import AsyncLogins, Unavailable
from op25b.subscribers.names import account_name

CONNECTIONS = 1000
"""One for each smtpd process that takes mail; Postfix has 100 for each service (default_process_limit)."""
READ_OCTETS = 65536


class PolicyServer:
    """`wall`: the time of day, with its zone."""

    def __init__(
        self,
        decisions: Decisions,
        relaying: Relaying,
        logins: AsyncLogins,
        log: FilteringBoundLogger,
        wall: Callable[[], datetime],
    ) -> None:
        self._decisions, self.relaying, self._logins = decisions, relaying, logins
        self._log, self._wall = log, wall
        self._connections: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until its end."""
        if len(self._connections) >= CONNECTIONS:
            self._log.error("too many connections to the policy service", limit=CONNECTIONS)
            writer.close()
            return
        self._connections.add(writer)
        requests = Requests()
        try:
            while data := await reader.read(READ_OCTETS):
                for asked in requests.feed(data):
                    writer.write(action(await self._answer(asked)))
                await writer.drain()
        except Malformed as error:
            self._log.error("not Postfix's policy protocol, closing", reason=str(error))
        except ConnectionError:
            pass
        finally:
            self._connections.discard(writer)
            writer.close()

    def close(self) -> None:
        """Nothing is answered any more."""
        for writer in self._connections:
            writer.close()

    async def _answer(self, asked: Attributes) -> str:
        try:
            return self._decisions.decide(asked, await self._client(asked))
        except Unavailable as error:
            self._log.error("an account could not be looked up", reason=str(error))
            return UNAVAILABLE

    async def _client(self, asked: Attributes) -> Client | None:
        """Who it is; None for an account that is gone. A user name is Postfix's word for it: it was logged in."""
        if not (name := asked.get("sasl_username")):
            return await self._without_log_in(asked)
        try:
            account = await self._logins.account(account_name(name))
        except ValueError:
            return None
        return None if account is None else Client(Source.NETWORK, account)

    async def _without_log_in(self, asked: Attributes) -> Client:
        address = client_address(asked.get("client_address", ""))
        if not (names := self.relaying.by_pop(address, self._wall())):
            return self.relaying.client(address)
        account = await self._logins.owner(names, asked.get("sender", ""))
        return Client(Source.POP if account else Source.OTHER, account)
