"""What a stranger may send: bodies of a bounded size, within a bounded time, and headers within one too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

Answer = Callable[[int, str, Mapping[str, str]], ASGIApp]
"""How an application says that it refuses: from a status, a sentence and headers."""

BODY_OCTETS = 16 * 1024
BODY_SECONDS = 10.0
_CLOSE = {"Connection": "close"}


class BoundedBodies:
    """Refuses a body that is too large (413, RFC 9110, 15.5.14) or comes too slowly (408), before it is looked at."""

    def __init__(self, app: ASGIApp, answer: Answer) -> None:
        self._app, self._answer = app, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(_read(receive), BODY_SECONDS)
        except TimeoutError:
            late = self._answer(
                408, f"the body did not come within {BODY_SECONDS:.0f} seconds; send it at once", _CLOSE
            )
            await late(scope, receive, send)
            return
        if body is None:
            large = self._answer(413, f"the body is larger than {BODY_OCTETS} octets; shorten the texts", _CLOSE)
            await large(scope, receive, send)
            return
        await self._app(scope, _Once(body, receive), send)


async def _read(receive: Receive) -> bytes | None:
    """The whole body, None for one that is too large."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_OCTETS:
            return None
        more = message.get("more_body", False)
    return body


class _Once:
    """Gives a body that was read already; after it what the server gives, which is that the client has gone."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class Http(H11Protocol):
    """Closes a connection on which no request has come whole up to the end of its header in time."""

    header_seconds = 10.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        self.loop.call_later(self.header_seconds, self._hurry, self.cycle)

    def _hurry(self, cycle: Any) -> None:
        if self.cycle is cycle and self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()
