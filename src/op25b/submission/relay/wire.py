"""An open connection to a next hop after EHLO, STARTTLS and AUTH: commands in groups (RFC 2920), replies in order.

aiosmtplib opens the connection; its protocol holds one reply at a time, so it can neither pipeline nor send BDAT.
Over a real distance that is a round trip for each command, and 100 recipients are 100 of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from op25b.submission.relay.outcome import Reply

_MAX_LINE = 4096
_MAX_LINES = 500


class Lost(Exception):
    """The connection has ended, or the next hop does not speak SMTP. The text says how."""


class Wire(asyncio.Protocol):
    """Takes over a connected transport. Of one task."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._lost: Lost | None = None
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """Open, and nothing said that nobody asked for (a next hop that shuts down says 421)."""
        return self._lost is None and not self._transport.is_closing() and not self._replies and not self._buffer

    async def send(self, data: bytes, timeout: float) -> None:
        """Write, and wait while the peer is slow to take it. Raises Lost, also after `timeout` seconds."""
        if self._lost is not None:
            raise self._lost
        self._transport.write(data)
        await self._wait(self._writable, timeout)

    async def reply(self, timeout: float) -> Reply:
        """The next reply, in the order of the commands. Raises Lost, also after `timeout` seconds."""
        while not self._replies:
            if self._lost is not None:
                raise self._lost
            self._arrived.clear()
            await self._wait(self._arrived, timeout)
        return self._replies.popleft()

    def close(self) -> None:
        self._end("closed")
        # until 3.11.4 Python's TLS transport cannot be aborted once it is closed
        with suppress(AttributeError):
            self._transport.abort()

    async def quit(self, timeout: float) -> None:
        """Take leave (RFC 5321 4.1.1.10); whatever goes wrong, the connection is closed."""
        try:
            await self.send(b"QUIT\r\n", timeout)
            await self.reply(timeout)
        except Lost:
            pass
        finally:
            self.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            if not self._take(line):
                return
        if len(self._buffer) > _MAX_LINE:
            self._end("reply line too long")

    def _take(self, line: bytes) -> bool:
        code, mark = line[:3], line[3:4]
        if not (code.isdigit() and b"200" <= code <= b"599" and mark in (b"", b" ", b"-")):
            self._end(f"not an SMTP reply: {line[:80].decode('ascii', 'replace')!r}")
            return False
        self._lines.append(line[4:].decode("utf-8", "replace"))
        if len(self._lines) > _MAX_LINES:
            self._end("reply too long")
            return False
        if mark != b"-":
            self._replies.append(Reply(int(code), tuple(self._lines)))
            self._lines = []
            self._arrived.set()
        return True

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(f"connection lost: {error}" if error else "connection closed by the next hop")

    def _end(self, why: str) -> None:
        if self._lost is None:
            self._lost = Lost(why)
            self._transport.close()
        self._arrived.set()
        self._writable.set()

    async def _wait(self, event: asyncio.Event, timeout: float) -> None:
        if event.is_set():
            return
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            self._end(f"no answer for {timeout:g} seconds")
        if self._lost is not None and not self._replies:
            raise self._lost
