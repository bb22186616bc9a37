"""Hosts that are dead in every way there is, and the mail of everybody else."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from op25b.submission.relay.settings import Limits, NextHop
from tests.submission.relay.peers import Script, peer
from tests.submission.relay.world import DEFERRED, DELIVERED, TIMEOUTS, world
from tests.submission.relay.zone import Zone


@contextmanager
def black_hole(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port whose SYNs are lost: the kernel drops them once the queue of a listener that accepts nobody is full."""
    with socket.socket() as listener:
        listener.bind((host, port))
        listener.listen(0)
        port = listener.getsockname()[1]
        filling = [socket.socket() for _ in range(3)]
        for each in filling:
            each.setblocking(False)
            each.connect_ex((host, port))
        with socket.socket() as probe:
            probe.settimeout(0.3)
            try:
                probe.connect((host, port))
            except TimeoutError:
                pass
            else:
                raise AssertionError("somebody answers there")
        yield port
        for each in filling:
            each.close()


@asynccontextmanager
async def silent(host: str, port: int) -> AsyncIterator[None]:
    """Accepts and never says a word."""
    server = await asyncio.start_server(lambda reader, writer: None, host, port)
    try:
        yield
    finally:
        server.close()


@asynccontextmanager
async def tarpit(host: str, port: int) -> AsyncIterator[None]:
    """Says one octet of an endless greeting at a time."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, host, port)
    try:
        yield
    finally:
        server.close()


def test_dead_hosts_of_every_kind_slow_nothing_else(tmp_path: Path) -> None:
    """Mail for sixty dead domains waits ahead of fifty good ones, with sixteen connections for all."""

    async def play() -> None:
        async with peer(host="127.0.0.2") as good:
            at = good.port
            records: dict[tuple[str, str], list[str] | Exception] = {("good.example", "A"): ["127.0.0.2"]}
            records |= {(f"dead{n}.example", "A"): [f"127.0.0.{n % 3 + 3}"] for n in range(60)}
            timeouts = replace(TIMEOUTS, connect=20, greeting=20, hurried_connect=0.1, hurried_greeting=0.1)
            with black_hole("127.0.0.3", at):
                async with (
                    silent("127.0.0.4", at),
                    tarpit("127.0.0.5", at),
                    world(tmp_path, zone=Zone(records), mx_port=at, timeouts=timeouts, connections=16) as here,
                ):
                    for number in range(300):
                        await here.submit(f"u{number}@dead{number % 60}.example")
                    await here.relay.step()
                    began = time.perf_counter()
                    for number in range(50):
                        await here.submit(f"u{number}@good.example")
                    await here.relay.step()
                    while len(good.got) < 50:
                        await asyncio.sleep(0.005)
                    assert time.perf_counter() - began < 10
                    assert here.slots.taken <= 16
                    assert here.relay.busy > 20, "some are patient: the RFC's five minutes"

    asyncio.run(play())


def test_a_black_hole_is_given_up_in_time_and_left_alone_longer_each_time(tmp_path: Path) -> None:
    async def play() -> None:
        with black_hole() as hole:
            timeouts = replace(TIMEOUTS, connect=0.1)
            async with world(tmp_path, routes={"dead.example": NextHop("127.0.0.1", hole)}, timeouts=timeouts) as here:
                await here.submit("bob@dead.example")
                await here.run(most=timedelta(minutes=40))
                tries = [each for each in here.events if each["event"] == DEFERRED]
                assert {each["status"] for each in tries} == {"4.4.1"}
                assert 4 <= len(tries) <= 6
                [place] = here.relay.figures().next_hops.values()
                assert (place.destinations, place.connections) == (1, 0)

    asyncio.run(play())


def test_a_busy_destination_gives_way_when_others_wait(tmp_path: Path) -> None:
    """Four connections in all: the endless queue of one host may not have them for ever."""

    async def play() -> None:
        limits = Limits(connections=20, messages_per_connection=5, idle=5)
        async with peer(Script(slow=0.01)) as busy, peer() as one, peer() as other:
            routes = {"one.example": one.hop, "other.example": other.hop}
            async with world(tmp_path, smart_host=busy.hop, routes=routes, limits=limits, connections=4) as here:
                for number in range(200):
                    await here.submit(f"u{number}@busy.example")
                await here.relay.step()
                while busy.most_at_once < 3:
                    await asyncio.sleep(0.002)
                await here.submit("bob@one.example")
                await here.submit("bob@other.example")
                await here.relay.step()
                while not (one.got and other.got):
                    await asyncio.sleep(0.002)
                assert len(busy.got) < 150
                await here.run()
                assert len(busy.got) == 200
                assert {each["event"] for each in here.events} == {DELIVERED}

    asyncio.run(play())
