"""The load: clients that hand in mail as fast as the server takes it, the same for every server that is measured.

    python bench/smtpload.py --port 2587 --tls starttls --login --per-connection 20 [--size 4096] [--connections 50]

A process of its own, one event loop. Every reply is checked; commands are pipelined where the server offers it (RFC
2920), as a mail server or msmtp does. After `--warm` seconds the window begins, in which acknowledged messages count;
then every message under way comes to its end. Lines of JSON on standard output: `"begin"` and `"end"` of the window, so
that who started this can look at the server's processor time, and the result (`Result`). Exit status 1 when a reply was
not as expected: a server that refuses under load has no figure.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import count
from typing import cast

import uvloop

CHUNK = 1 << 17
"""Octets of a message written at once."""
REPLY_SECONDS = 60
"""As long as a client waits for a reply before it calls the server broken."""
DOMAIN, PASSWORD = "netlaputa.example", "himitsu"


def account(number: int) -> str:
    """The name of an account, which is its address too."""
    return f"user{number}@{DOMAIN}"


@dataclass(frozen=True)
class Load:
    """What the clients do. `tls`: `none`, `starttls` or `implicit`."""

    port: int
    tls: str = "none"
    login: bool = False
    per_connection: int = 1
    size: int = 4096
    connections: int = 50
    accounts: int = 50
    warm: float = 1.0
    seconds: float = 3.0


@dataclass(frozen=True)
class Result:
    """`acknowledged`: in all. `rate`: messages a second within the window. Times in ms, from MAIL to the 250 of the
    message."""

    acknowledged: int
    counted: int
    rate: float
    median_ms: float
    p99_ms: float
    client_cpu: float


class Refused(Exception):
    """The server did not reply as a server that takes the mail does."""


class Wire(asyncio.Protocol):
    """One connection: whole replies in, octets out, under TLS once it is asked for.

    TLS runs on memory buffers, since the event loops' own layer keeps 256 KB a connection.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._replies: list[bytes] = []
        self._wanted = 0
        self._waiting: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost: str | None = None
        self._tls: ssl.SSLObject | None = None
        self._shaken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none of asyncio's classes

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = str(exc or "closed by the server")
        self._writable.set()
        self._wake()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if self._tls is not None:
            data = self._decrypted(data)
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            if line[3:4] != b"-" or line[4:] == b"PIPELINING":
                self._replies.append(line)
        if len(self._replies) >= self._wanted:
            self._wake()

    def write(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        self._transport.write(data)

    async def drain(self) -> None:
        await self._writable.wait()

    async def replies(self, expected: bytes) -> None:
        """The next replies; `expected` has the first digit of each."""
        self._wanted = len(expected)
        await self._until(lambda: len(self._replies) >= self._wanted)
        found, self._replies = self._replies[: len(expected)], self._replies[len(expected) :]
        for line, digit in zip(found, expected, strict=True):
            if line[0] != digit:
                raise Refused(line.decode())

    async def hello(self) -> bool:
        """True if commands may be pipelined."""
        self.write(b"EHLO client.netlaputa.example\r\n")
        self._wanted = 1
        await self._until(lambda: bool(self._replies) and self._replies[-1][3:4] == b" ")
        found, self._replies = self._replies, []
        if found[-1][:3] != b"250":
            raise Refused(found[-1].decode())
        return any(line[4:] == b"PIPELINING" for line in found)

    async def handshake(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=f"mail.{DOMAIN}")
        self._decrypted(b"")
        await self._until(lambda: self._shaken)

    def close(self) -> None:
        self._transport.close()

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            if self._lost is not None:
                raise Refused(self._lost)
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _decrypted(self, data: bytes) -> bytes:
        assert self._tls is not None
        self._incoming.write(data)
        text = b""
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
                self._wake()
            while part := self._tls.read(CHUNK):
                text += part
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        if out := self._outgoing.read():
            self._transport.write(out)
        return text


class Clients:
    """All connections of one run, and what they have counted."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # the server is what is measured, not its client's proof of it
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        line = b"x" * 76 + b"\r\n"
        self._body = (line * (load.size // len(line) + 1))[: load.size - 2] + b"\r\n.\r\n"
        self._numbers = count()
        self._stopping = False
        self.acknowledged = 0
        self.times: list[float] = []

    async def run(self) -> Result:
        load = self._load
        senders = [asyncio.create_task(self._send_on()) for _ in range(load.connections)]
        await self._pass(load.warm, senders)
        print('"begin"', flush=True)
        self.times, before, cpu, start = [], self.acknowledged, time.process_time(), time.perf_counter()
        await self._pass(load.seconds, senders)
        took, counted, times = time.perf_counter() - start, self.acknowledged - before, sorted(self.times)
        cpu = time.process_time() - cpu
        print('"end"', flush=True)
        self._stopping = True
        await asyncio.gather(*senders)
        if not times:
            raise Refused(f"not one message was acknowledged within {load.seconds} seconds")
        median, p99 = times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3
        return Result(self.acknowledged, counted, counted / took, median, p99, cpu)

    async def _pass(self, seconds: float, senders: list[asyncio.Task[None]]) -> None:
        """Let time pass; raises what one of the senders raised."""
        done, _ = await asyncio.wait(senders, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for each in done:
            each.result()

    async def _send_on(self) -> None:
        while not self._stopping:
            async with asyncio.timeout(None) as patience:
                await self._connection(account(next(self._numbers) % self._load.accounts), patience)

    async def _connection(self, name: str, patience: asyncio.Timeout) -> None:
        load, loop = self._load, asyncio.get_running_loop()
        patience.reschedule(loop.time() + REPLY_SECONDS)
        _, wire = await loop.create_connection(Wire, "127.0.0.1", load.port)
        try:
            pipelining = await self._greet(wire)
            if load.login:
                secret = base64.b64encode(f"\0{name}\0{PASSWORD}".encode())
                wire.write(b"AUTH PLAIN " + secret + b"\r\n")
                await wire.replies(b"2")
            commands = [f"MAIL FROM:<{name}>\r\n".encode(), b"RCPT TO:<friend@example.org>\r\n", b"DATA\r\n"]
            head = f"From: {name}\r\nTo: friend@example.org\r\nSubject: load\r\n\r\n".encode()
            for _ in range(load.per_connection):
                patience.reschedule(loop.time() + REPLY_SECONDS)
                await self._message(wire, commands, head, pipelining)
                if self._stopping:
                    break
            wire.write(b"QUIT\r\n")
            await wire.replies(b"2")
        finally:
            wire.close()

    async def _greet(self, wire: Wire) -> bool:
        """All that comes before the log-in; True if commands may be pipelined."""
        if self._load.tls == "implicit":
            await wire.handshake(self._tls)
        await wire.replies(b"2")
        pipelining = await wire.hello()
        if self._load.tls == "starttls":
            wire.write(b"STARTTLS\r\n")
            await wire.replies(b"2")
            await wire.handshake(self._tls)
            pipelining = await wire.hello()
        return pipelining

    async def _message(self, wire: Wire, commands: list[bytes], head: bytes, pipelining: bool) -> None:
        start = time.perf_counter()
        if pipelining:
            wire.write(b"".join(commands))
            await wire.replies(b"223")
        else:
            for command, digit in zip(commands, (b"2", b"2", b"3"), strict=True):
                wire.write(command)
                await wire.replies(digit)
        for part in self._parts(head):
            wire.write(part)
            await wire.drain()
        await wire.replies(b"2")
        self.acknowledged += 1
        self.times.append(time.perf_counter() - start)

    def _parts(self, head: bytes) -> Iterator[bytes]:
        body = self._body
        yield head + body[:CHUNK]
        for at in range(CHUNK, len(body), CHUNK):
            yield body[at : at + CHUNK]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls", choices=("none", "starttls", "implicit"), default="none")
    parser.add_argument("--login", action="store_true", help="AUTH PLAIN, a new account for each connection in turn")
    parser.add_argument("--per-connection", type=int, default=1, help="messages")
    parser.add_argument("--size", type=int, default=4096, help="octets of a message's body")
    parser.add_argument("--connections", type=int, default=50, help="at once")
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--warm", type=float, default=1.0, help="seconds before the window")
    parser.add_argument("--seconds", type=float, default=3.0, help="of the window")
    try:
        result = uvloop.run(Clients(Load(**vars(parser.parse_args()))).run())
    except (Refused, OSError, TimeoutError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(result)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
