"""The accounting port: an answer for what was taken, none for what was not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from ipaddress import ip_network

import pytest
from pyrad.packet import AcctPacket, AuthPacket, Packet

from op25b.subscribers.accounting import intake as intakes
from op25b.subscribers.accounting import server as servers
from op25b.subscribers.accounting.clients import Client
from op25b.subscribers.accounting.numbers import Counted
from op25b.subscribers.accounting.server import REMEMBER_SECONDS, REMEMBERED, Answers
from op25b.subscribers.leases import Fact, Merged
from tests.support.accounting import DICTIONARY, SECRET, STOP, AccessServer, Served, Taken, packet, served


def play(script: Callable[[Served, AccessServer], Awaitable[None]], taken: Taken | None = None, **how: object) -> Taken:
    """Run a script of one access server against a server."""
    taken = taken or Taken()

    async def run() -> None:
        async with served(taken.merge, **how) as server:  # type: ignore[arg-type]
            bng = AccessServer(server.address)
            try:
                await script(server, bng)
            finally:
                bng.close()

    asyncio.run(run())
    return taken


def is_answer(request: bytes, answer: bytes) -> bool:
    """Whether pyrad, as an access server, takes it for the answer."""
    asked = AcctPacket(packet=request, secret=SECRET, dict=DICTIONARY)
    return bool(asked.VerifyReply(Packet(packet=answer, dict=DICTIONARY), answer)) and answer[0] == 5


def test_what_is_taken_is_answered() -> None:
    async def script(server: Served, bng: AccessServer) -> None:
        for request in (packet(), packet(identifier=2, signed=True), packet(STOP, 3)):
            assert is_answer(request, await bng.ask(request))
        assert server.counted(Counted.REPORTS) == 3

    assert [type(fact).__name__ for fact in play(script).facts] == ["Claim", "Claim", "Release"]


def test_proxy_states_come_back_in_their_order() -> None:
    async def script(server: Served, bng: AccessServer) -> None:
        request = packet(Proxy_State=[b"one", b"two"])
        answer = await bng.ask(request)
        assert is_answer(request, answer)
        assert answer[20:] == b"\x21\x05one\x21\x05two"

    play(script)


def test_the_answer_comes_after_the_store_and_the_filter() -> None:
    order: list[str] = []
    taken = Taken()

    async def script(server: Served, bng: AccessServer) -> None:
        await bng.ask(packet())
        order.append("answer")

    def after(_: object) -> None:
        order.append(f"filter, {len(taken.facts)} in the store")

    play(script, taken, sync=lambda: order.append("disk"), after=after)
    assert order == ["filter, 1 in the store", "disk", "answer"]


def test_the_next_are_in_the_filter_while_the_disk_is_slow() -> None:
    taken, disk = Taken(), threading.Event()

    async def script(server: Served, bng: AccessServer) -> None:
        for number in (1, 2):
            bng.send(packet(identifier=number))
            while len(taken.facts) < number:
                await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await bng.answer(0.05)
        disk.set()
        assert [(await bng.answer())[1] for _ in range(2)] == [1, 2]

    def sync() -> None:
        assert disk.wait(30)

    play(script, taken, sync=sync)


def test_a_disk_that_fails_keeps_the_answer_back() -> None:
    def sync() -> None:
        raise OSError("Input/output error")

    async def script(server: Served, bng: AccessServer) -> None:
        bng.send(packet())
        with pytest.raises(TimeoutError):
            await bng.answer(0.05)
        assert server.counted(Counted.STORE_FAILED) == 1
        assert server.counted(Counted.REPORTS) == 0
        assert [line["reason"] for line in server.said] == ["Input/output error"]

    play(script, sync=sync)


def test_what_comes_while_a_group_is_written_is_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "PATIENCE_SECONDS", 3600.0)
    taken, groups = Taken(), list[int]()

    def merge(facts: Sequence[Fact], now: datetime) -> Merged:
        groups.append(len(facts))
        return taken.merge(facts, now)

    async def script(server: Served, bng: AccessServer) -> None:
        taken.open.clear()
        bng.send(packet(identifier=0))
        while not groups:
            await asyncio.sleep(0)
        for identifier in range(1, 6):
            bng.send(packet(identifier=identifier))
        taken.open.set()
        assert [(await bng.answer())[1] for _ in range(6)] == [0, 1, 2, 3, 4, 5]
        # and it listens again
        assert (await bng.ask(packet(identifier=6)))[1] == 6

    async def run() -> None:
        async with served(merge) as server:
            bng = AccessServer(server.address)
            await script(server, bng)
            bng.close()

    asyncio.run(run())
    assert groups == [1, 5, 1]


def test_a_proxy_is_answered_while_the_store_hangs() -> None:
    taken = Taken()
    asked = AuthPacket(code=12, id=9, secret=SECRET, dict=DICTIONARY)
    asked.add_message_authenticator()

    async def script(server: Served, bng: AccessServer) -> None:
        taken.open.clear()
        bng.send(packet())
        while not server.counted(Counted.WAITING):
            await asyncio.sleep(0)
        assert (await bng.ask(bytes(asked.RequestPacket())))[1] == 9
        taken.open.set()
        await bng.answer()

    play(script, taken)


def test_a_filter_out_of_reach_keeps_no_answer_back() -> None:
    def away(_: object) -> None:
        raise ConnectionError("no enforcer")

    async def script(server: Served, bng: AccessServer) -> None:
        for identifier in (1, 2):
            await bng.ask(packet(identifier=identifier))
        assert server.counted(Counted.FILTER_FAILED) == 2
        assert [line["reason"] for line in server.said] == ["no enforcer"]

    play(script, after=away)


def test_a_store_that_fails_keeps_the_answer_back_until_it_works() -> None:
    taken = Taken(error=RuntimeError("locked"))

    async def script(server: Served, bng: AccessServer) -> None:
        bng.send(packet())
        with pytest.raises(TimeoutError):
            await bng.answer(0.1)
        assert server.counted(Counted.STORE_FAILED) == 1
        taken.error = None
        assert await bng.ask(packet())
        assert server.counted(Counted.REPORTS) == 1

    assert len(play(script, taken).facts) == 1


def test_a_proxy_hears_that_the_store_fails_and_may_try_again() -> None:
    """By Status-Server (RFC 5997): who keeps a proxy away for ever would never know that the store is well again."""
    taken, seconds = Taken(error=RuntimeError("locked")), 1_700_000_000.0
    asked = AuthPacket(code=12, id=9, secret=SECRET, dict=DICTIONARY)
    asked.add_message_authenticator()
    question = bytes(asked.RequestPacket())

    async def script(server: Served, bng: AccessServer) -> None:
        nonlocal seconds
        assert (await bng.ask(question))[0] == 5
        bng.send(packet())
        while not server.counted(Counted.STORE_FAILED):
            await asyncio.sleep(0)
        bng.send(question)
        with pytest.raises(TimeoutError):
            await bng.answer(0.05)
        seconds += intakes.FAILING_SECONDS
        assert (await bng.ask(question))[1] == 9
        taken.error = None
        seconds -= 1
        await bng.ask(packet())
        await bng.ask(question)

    play(script, taken, wall=lambda: seconds)


def test_what_comes_again_is_answered_from_memory() -> None:
    async def script(server: Served, bng: AccessServer) -> None:
        first = await bng.ask(packet())
        assert await bng.ask(packet()) == first
        assert server.counted(Counted.REPEATED) == 1
        # the same identifier, other content: another request
        assert await bng.ask(packet(User_Name="u2")) != first

    assert len(play(script).facts) == 2


def test_each_access_server_has_its_own_answer() -> None:
    async def script(server: Served, bng: AccessServer) -> None:
        other = AccessServer(server.address)
        assert await bng.ask(packet())
        assert await other.ask(packet())
        other.close()

    assert len(play(script).facts) == 2


@pytest.mark.parametrize(
    ("request_", "counted"),
    [
        (b"", Counted.MALFORMED),
        (b"\x04" * 19, Counted.MALFORMED),
        (packet(secret=b"another"), Counted.WRONG_SECRET),
        (b"\x01" + packet()[1:], Counted.WRONG_CODE),
        (packet(User_Name=None), Counted.MISSING),
        (packet(Acct_Session_Id=None), Counted.MISSING),
        (packet(Framed_IP_Address="255.255.255.254"), Counted.ADDRESS),
        (packet(User_Name="u\n1"), Counted.NAME),
    ],
)
def test_what_is_discarded_is_counted_and_said_once(request_: bytes, counted: Counted) -> None:
    async def script(server: Served, bng: AccessServer) -> None:
        bng.send(request_)
        bng.send(request_)
        await bng.ask(packet())  # the port still works
        assert server.counted(counted) == 2
        assert len(server.said) == 1
        assert SECRET.decode() not in str(server.said)

    assert len(play(script).facts) == 1


def test_strangers_and_unsigned_packets() -> None:
    clients = [
        Client(ip_network("127.0.0.1/32"), SECRET, signs=True),
        Client(ip_network("127.0.0.0/8"), b"the wider one's"),
    ]

    async def script(server: Served, bng: AccessServer) -> None:
        bng.send(packet())
        request = packet(identifier=2, signed=True)
        assert is_answer(request, await bng.ask(request))
        assert server.counted(Counted.UNSIGNED) == 1

    play(script, clients=clients)

    async def stranger(server: Served, bng: AccessServer) -> None:
        bng.send(packet())
        with pytest.raises(TimeoutError):
            await bng.answer(0.05)
        assert server.counted(Counted.UNKNOWN_CLIENT) == 1

    assert not play(stranger, clients=[Client(ip_network("192.0.2.0/24"), SECRET)]).facts


def test_what_is_no_address_matter_is_acknowledged() -> None:
    async def script(server: Served, bng: AccessServer) -> None:
        request = packet(status=9)  # Tunnel-Start
        assert is_answer(request, await bng.ask(request))
        assert server.counted(Counted.IGNORED) == 1

    assert not play(script).facts


def test_beyond_the_bound_there_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intakes, "MOST", 2)
    taken = Taken()
    taken.open.clear()

    async def script(server: Served, bng: AccessServer) -> None:
        for identifier in range(5):
            bng.send(packet(identifier=identifier))
        while server.counted(Counted.OVERFLOWED) < 3:
            await asyncio.sleep(0)
        taken.open.set()
        answers = [await bng.answer() for _ in range(2)]
        with pytest.raises(TimeoutError):
            await bng.answer(0.05)
        assert [answer[1] for answer in answers] == [0, 1]
        assert server.counted(Counted.OVERFLOWED) == 3
        assert await bng.ask(packet(identifier=4))  # sent again

    play(script, taken)


def test_answers_are_forgotten() -> None:
    now = 0.0
    answers = Answers(lambda: now)
    key = (("192.0.2.1", 1), b"x")
    answers.put(key, b"answer")
    now = REMEMBER_SECONDS / 2
    assert answers.get(key) == b"answer"
    for _ in range(2):
        now += REMEMBER_SECONDS
        answers.put((("192.0.2.1", 2), b"y"), b"z")
    assert not answers.knows(key)
    for number in range(3 * REMEMBERED):
        answers.put((("192.0.2.1", number), b"y"), None)
    assert len(answers._young) + len(answers._old) <= 2 * REMEMBERED
