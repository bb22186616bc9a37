"""Accounting over HTTP: the door, and what a FreeRADIUS is told."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable

import pytest

from op25b.processes.posts import Posts
from op25b.subscribers.accounting import intake as intakes
from op25b.subscribers.accounting import posted
from op25b.subscribers.accounting.facts import Attribute
from op25b.subscribers.accounting.numbers import Counted
from tests.support.accounting import Served, Taken, served

TOKEN = "0123456789abcdef"
BEARER = f"Authorization: Bearer {TOKEN}"
START = json.dumps(
    {
        name: {"value": [value]}
        for name, value in {
            "Acct-Status-Type": "Start",
            "NAS-Identifier": "bng1",
            "Acct-Session-Id": "s1",
            "User-Name": "u1",
            "Framed-IP-Address": "192.0.2.1",
        }.items()
    }
).encode()


class Poster:
    """A connection to the port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, body: bytes = START, *header: str, line: str = "POST /accounting HTTP/1.1") -> None:
        head = "\r\n".join([line, *(header or (BEARER,)), f"Content-Length: {len(body)}", "", ""])
        self._writer.write(head.encode() + body)

    async def status(self) -> int:
        head = await self._reader.readuntil(b"\r\n\r\n")
        return int(head.split()[1])

    async def post(self, body: bytes = START, *header: str, line: str = "POST /accounting HTTP/1.1") -> int:
        self.send(body, *header, line=line)
        return await self.status()

    def close(self) -> None:
        self._writer.close()


Connect = Callable[[], Awaitable[Poster]]


def play(script: Callable[[Served, Connect], Awaitable[None]], taken: Taken | None = None) -> Taken:
    taken = taken or Taken()

    async def run() -> None:
        async with served(taken.merge) as server:
            common = (server.intake, server.board.of(), server.complaints)
            reports = posted.Reports(TOKEN, *common, Attribute.USER_NAME, lambda: 1_700_000_000.0)
            posts = Posts(
                reports.admit, reports.take, reports.complain, lambda: 1000.0, posted.OCTETS, posted.CONNECTIONS
            )
            listening = await asyncio.start_server(posts.connected, "127.0.0.1", 0, limit=posted.OCTETS)
            made: list[Poster] = []

            async def connect() -> Poster:
                made.append(Poster(*await asyncio.open_connection(*listening.sockets[0].getsockname())))
                return made[-1]

            try:
                await script(server, connect)
            finally:
                listening.close()
                for each in made:
                    each.close()

    asyncio.run(run())
    return taken


def test_one_connection_takes_many() -> None:
    async def script(server: Served, connect: Connect) -> None:
        poster = await connect()
        assert [await poster.post() for _ in range(3)] == [204, 204, 204]
        assert server.counted(Counted.REPORTS) == 3

    assert len(play(script).facts) == 3


def _basic(name: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (BEARER, 204),
        (_basic("op25b", TOKEN), 204),
        ("authorization: bearer " + TOKEN, 204),
        (_basic("root", TOKEN), 401),
        (_basic("op25b", "another"), 401),
        (_basic("op25b", ""), 401),
        ("Authorization: Bearer " + TOKEN[:-1], 401),
        ("Authorization: Bearer", 401),
        ("Authorization: Digest " + TOKEN, 401),
        ("X: y", 401),
    ],
)
def test_who_has_the_token(header: str, status: int) -> None:
    async def script(server: Served, connect: Connect) -> None:
        assert await (await connect()).post(START, header) == status
        assert server.counted(Counted.WRONG_SECRET) == (status == 401)
        assert TOKEN not in str(server.said)

    assert len(play(script).facts) == (status == 204)


@pytest.mark.parametrize(
    ("body", "line", "status"),
    [
        (START, "GET /accounting HTTP/1.1", 400),
        (START, "POST / HTTP/1.1", 404),
        (b"{}", "POST /accounting HTTP/1.1", 422),
        (b"{", "POST /accounting HTTP/1.1", 422),
        (START.replace(b"u1", b"u" * 254), "POST /accounting HTTP/1.1", 422),
        (START.replace(b"192.0.2.1", b"0.0.0.0"), "POST /accounting HTTP/1.1", 422),
        (b" " * (posted.OCTETS + 1), "POST /accounting HTTP/1.1", 413),
        (START, f"POST /{'x' * posted.OCTETS} HTTP/1.1", 431),
    ],
)
def test_what_is_refused(body: bytes, line: str, status: int) -> None:
    async def script(server: Served, connect: Connect) -> None:
        assert await (await connect()).post(body, line=line) == status
        assert len(server.said) == 1

    assert not play(script).facts


def test_2xx_comes_after_the_commit_only() -> None:
    taken = Taken()
    taken.open.clear()

    async def script(server: Served, connect: Connect) -> None:
        poster = await connect()
        poster.send()
        answer = asyncio.create_task(poster.status())
        while server.counted(Counted.WAITING) < 1:
            await asyncio.sleep(0)
        assert not answer.done()
        taken.open.set()
        assert await answer == 204

    play(script, taken)


def test_a_store_that_fails_is_503() -> None:
    taken = Taken(error=RuntimeError("locked"))

    async def script(server: Served, connect: Connect) -> None:
        assert await (await connect()).post() == 503
        taken.error = None
        assert await (await connect()).post() == 204

    assert len(play(script, taken).facts) == 1


def test_too_many_waiting_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intakes, "MOST", 0)

    async def script(server: Served, connect: Connect) -> None:
        assert await (await connect()).post() == 503
        assert server.counted(Counted.OVERFLOWED) == 1

    assert not play(script).facts
