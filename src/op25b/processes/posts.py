"""Reports that another program posts, over HTTP/1.1: a little of it, enough for libcurl and Dovecot, and bounded.

A report is answered 204 once what was to be done with it has been done.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress

IDLE_SECONDS = 300.0
REPORT_SECONDS = 10.0
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)


class Refused(Exception):
    """A request that gets an HTTP error, and after that the end of the connection. The text is for the log."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


class Posts:
    """Serves any number of connections.

    `admit` is given the target and the header, and raises Refused for who may not post there; `take` is given the
    body, of `octets` at most, and may raise Refused; `complain` is told why each was refused. When there are more than
    so many `connections`, that one goes which has been silent longest. `now`: monotonic seconds.
    """

    def __init__(
        self,
        admit: Callable[[bytes, bytes], None],
        take: Callable[[bytes], Awaitable[None]],
        complain: Callable[[str], None],
        now: Callable[[], float],
        octets: int,
        connections: int,
    ) -> None:
        self._admit, self._take, self._complain, self._now = admit, take, complain, now
        self._octets, self._connections = octets, connections
        self._open: dict[asyncio.StreamWriter, float] = {}
        """When they last reported: who never did goes first when there are too many."""

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        self._open[writer] = 0.0
        if len(self._open) > self._connections:
            min(self._open, key=self._open.__getitem__).close()
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                while await self._request(reader, writer):
                    self._open[writer] = self._now()
        finally:
            del self._open[writer]
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False if the connection is to end."""
        try:
            await self._take(await self._body(reader))
        except Refused as refused:
            self._complain(str(refused))
            writer.write(f"HTTP/1.1 {refused.status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return False
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        return True

    async def _body(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise Refused("431 Request Header Fields Too Large", "a header that is too long") from None
        method, _, rest = head.partition(b" ")
        self._admit(rest.partition(b" ")[0], head)
        length = _LENGTH.search(head)
        if method != b"POST" or length is None:
            raise Refused("400 Bad Request", "neither POST nor Content-Length")
        if int(length[1]) > self._octets:
            raise Refused("413 Content Too Large", "a report that is too long")
        async with asyncio.timeout(REPORT_SECONDS):
            return await reader.readexactly(int(length[1]))
