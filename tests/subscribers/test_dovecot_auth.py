"""Passwords checked by a real Dovecot; and by things that are none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from op25b.subscribers import dovecot_auth
from op25b.subscribers.dovecot_auth import WRONG, Answer, Away, DovecotAuth
from tests.support.dovecot import NEEDED, Dovecot

HOME = ip_address("192.0.2.1")
USERS = {
    "taro@netlaputa.example": "himitsu",
    "hanako": "秘 密",
    "unpaid": "himitsu::::::nologin=y reason=unpaid",
    "moved": "himitsu::::::proxy=y nologin=y host=192.0.2.9",
    "office": "himitsu::::::allow_nets=192.0.2.0/24,2001:db8::/32",
}


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(USERS) as running:
        yield running


def _ask(path: Path, work: Callable[[DovecotAuth], Awaitable[None]]) -> None:
    async def main() -> None:
        auth = DovecotAuth(str(path), os.urandom)
        try:
            async with asyncio.timeout(60):
                await work(auth)
        finally:
            await auth.close()

    asyncio.run(main())


class TestDovecot:
    pytestmark = NEEDED

    @pytest.mark.parametrize(
        ("name", "password", "address", "expected"),
        [
            ("taro@netlaputa.example", "himitsu", "192.0.2.1", Answer("taro@netlaputa.example")),
            ("Taro@Netlaputa.example", "himitsu", "192.0.2.1", Answer("taro@netlaputa.example")),
            ("taro@netlaputa.example", "wrong", "192.0.2.1", WRONG),
            ("taro@netlaputa.example", "", "192.0.2.1", WRONG),
            ("nobody", "himitsu", "192.0.2.1", WRONG),
            ("a\tb\nc", "x\nAUTH", "192.0.2.1", WRONG),
            ("hanako", "秘 密", "2001:db8::1", Answer("hanako")),
            ("unpaid", "himitsu", "192.0.2.1", Answer("unpaid", "unpaid")),
            ("unpaid", "wrong", "192.0.2.1", WRONG),
            ("moved", "himitsu", "192.0.2.1", Answer("moved")),
            ("office", "himitsu", "192.0.2.1", Answer("office")),
            ("office", "himitsu", "2001:db8::1", Answer("office")),
            ("office", "himitsu", "198.51.100.1", WRONG),
        ],
    )
    def test_answers(self, dovecot: Dovecot, name: str, password: str, address: str, expected: Answer) -> None:
        async def work(auth: DovecotAuth) -> None:
            assert await auth.check(name, password, ip_address(address)) == expected

        _ask(dovecot.socket, work)

    def test_many_at_once_each_with_its_own_answer(self, dovecot: Dovecot) -> None:
        async def work(auth: DovecotAuth) -> None:
            asked = [("hanako", "秘 密"), ("hanako", "wrong"), ("office", "himitsu"), ("nobody", "x")] * 50
            found = await asyncio.gather(*(auth.check(name, password, HOME) for name, password in asked))
            assert found == [Answer("hanako"), WRONG, Answer("office"), WRONG] * 50

        _ask(dovecot.socket, work)

    def test_it_goes_and_comes_back(self) -> None:
        with Dovecot({"taro": "himitsu"}) as dovecot:

            async def work(auth: DovecotAuth) -> None:
                assert await auth.check("taro", "himitsu", HOME) == Answer("taro")
                await asyncio.to_thread(dovecot.stop)
                with pytest.raises(Away, match="is away: "):
                    await auth.check("taro", "himitsu", HOME)
                await asyncio.to_thread(dovecot.start)
                assert await auth.check("taro", "himitsu", HOME) == Answer("taro")

            _ask(dovecot.socket, work)

    def test_a_failing_passdb_is_no_wrong_password(self) -> None:
        broken = "passdb {\n  driver = checkpassword\n  args = /nonexistent\n}\n"
        with Dovecot({}, broken) as dovecot:

            async def work(auth: DovecotAuth) -> None:
                with pytest.raises(Away, match="its log says why"):
                    await auth.check("taro", "himitsu", HOME)

            _ask(dovecot.socket, work)


GREETING = b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\tx\nDONE\n"


@pytest.mark.parametrize(
    ("greeting", "answer", "why"),
    [
        (b"", b"", "closed the connection"),
        (b"220 mail.example ESMTP\r\n" * 1000, b"", "closed the connection"),
        (b"x" * 10000, b"", "a line of more than"),
        (b"VERSION\t2\t0\nDONE\n", b"", "version 2"),
        (b"VERSION\t1\t2\nMECH\tLOGIN\nDONE\n", b"", "does not offer PLAIN"),
        (GREETING, b"", "closed the connection"),
        (GREETING, b"CONT\t1\t\n", "answers CONT"),
        (GREETING, b"OK\t1\n", "answers OK"),
        (GREETING, b"FAIL\t1\ttemp\n", "could not look the user up"),
        (GREETING, b"FAIL\t1\tcode=temp_fail\n", "could not look the user up"),
        (GREETING, b"OK\t2\tuser=taro\nOK\nOK\t\n\n", "closed the connection"),
        (GREETING, b"OK\t1\tuser=" + b"x" * 9000, "a line of more than"),
        (GREETING, b"FAIL\t1\nOK\t1\tuser=taro\n", None),
    ],
)
def test_what_is_no_answer(greeting: bytes, answer: bytes, why: str | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"CPID")
        writer.write(greeting)
        if greeting == GREETING:
            await reader.readuntil(b"AUTH")
            writer.write(answer)
        writer.close()

    async def main(path: Path) -> None:
        async with await asyncio.start_unix_server(serve, path):

            async def work(auth: DovecotAuth) -> None:
                if why is None:
                    assert await auth.check("taro", "himitsu", HOME) == WRONG
                    return
                with pytest.raises(Away, match=why):
                    await auth.check("taro", "himitsu", HOME)

            auth = DovecotAuth(str(path), os.urandom)
            async with asyncio.timeout(20):
                await work(auth)
            await auth.close()

    with TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder) / "auth"))


@pytest.mark.parametrize("greeting", [b"", GREETING])
def test_who_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, greeting: bytes) -> None:
    """However many ask, each waits once."""
    monkeypatch.setattr(dovecot_auth, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(dovecot_auth, "ANSWER_SECONDS", 0.3)
    held = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        writer.write(greeting)

    async def main(path: Path) -> None:
        async with await asyncio.start_unix_server(serve, path):
            auth = DovecotAuth(str(path), os.urandom)
            async with asyncio.timeout(10):
                asked = (auth.check("taro", "himitsu", HOME) for _ in range(100))
                found = await asyncio.gather(*asked, return_exceptions=True)
            assert all(isinstance(each, Away) for each in found)
            await auth.close()
            for writer in held:
                writer.close()

    with TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder) / "auth"))


def test_no_socket() -> None:
    async def work(auth: DovecotAuth) -> None:
        with pytest.raises(Away, match="is away: "):
            await auth.check("taro", "himitsu", HOME)

    _ask(Path("/nonexistent/auth"), work)
    _ask(Path("/" + "x" * 200), work)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(Away) as raised:
        _ask(Path("/nonexistent"), lambda auth: auth.check("taro", "himitsu", HOME))
    assert "himitsu" not in str(raised.value)
