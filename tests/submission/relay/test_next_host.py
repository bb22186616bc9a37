"""A mail host that says "not now", and the next one of its domain (RFC 5321 5.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.submission.relay.peers import Peer, Script, peer
from tests.submission.relay.world import DEFERRED, DELIVERED, FAILED, World, world
from tests.submission.relay.zone import Zone

LATER = "450 4.2.0 greylisted"


@asynccontextmanager
async def two_hosts(folder: Path, first: Script, second: Script) -> AsyncIterator[tuple[World, Peer, Peer]]:
    """Host a is preferred to host b; c is a third, which is never asked."""
    async with peer(first, host="127.0.0.2") as a, peer(second, host="127.0.0.3", port=a.port) as b:
        records = {
            ("example.com", "MX"): ["10 a.example.", "20 b.example.", "30 c.example."],
            ("a.example", "A"): ["127.0.0.2"],
            ("b.example", "A"): ["127.0.0.3"],
            ("c.example", "A"): ["127.0.0.4"],
        }
        async with world(folder, zone=Zone(records), mx_port=a.port) as here:
            yield here, a, b


@pytest.mark.parametrize(
    "first",
    [Script(rcpt={"bob@example.com": [LATER]}), Script(mail=["421 4.3.2 busy"]), Script(mail=["451 4.3.0 disk"]),
     Script(end=["451 4.3.0 scanner is down"])],
    ids=["rcpt", "mail-421", "mail", "data"],
)  # fmt: skip
def test_the_next_host_takes_what_the_first_puts_off(tmp_path: Path, first: Script) -> None:
    async def play() -> None:
        async with two_hosts(tmp_path, first, Script()) as (here, a, b):
            queue_id = await here.submit("bob@example.com")
            await here.run(most=timedelta(minutes=2))
            assert here.states(queue_id) == {"bob@example.com": DELIVERED}
            assert here.last("bob@example.com")["next_hop"] == "b.example"
            assert len(here.events) == 1, "it was never deferred"
            assert (len(a.got), len(b.got)) == (0, 1)

    asyncio.run(play())


def test_only_those_who_were_put_off(tmp_path: Path) -> None:
    async def play() -> None:
        first = Script(rcpt={"bob@example.com": [LATER], "never@example.com": ["550 5.1.1 no such user"]})
        async with two_hosts(tmp_path, first, Script()) as (here, a, b):
            queue_id = await here.submit("bob@example.com", "carol@example.com", "never@example.com", sender="")
            await here.run(most=timedelta(minutes=2))
            assert here.states(queue_id) == {
                "bob@example.com": DELIVERED, "carol@example.com": DELIVERED, "never@example.com": FAILED,
            }  # fmt: skip
            assert [each.recipients for each in a.got] == [["carol@example.com"]]
            assert [each.recipients for each in b.got] == [["bob@example.com"]]

    asyncio.run(play())


@pytest.mark.parametrize("second", [LATER, "550 5.1.1 what is that"])
def test_what_the_second_refuses_stays_put_off(tmp_path: Path, second: str) -> None:
    """Not even a 5yz is believed of it: the preferred host knows best, and was not heard yet."""

    async def play() -> None:
        first = Script(rcpt={"bob@example.com": [LATER, "250 OK"]})
        async with two_hosts(tmp_path, first, Script(rcpt={"bob@example.com": [second]})) as (here, _, b):
            await here.submit("bob@example.com", sender="")
            await here.run(most=timedelta(minutes=10))
            tries = [(each["event"], each["next_hop"]) for each in here.events]
            assert tries == [(DEFERRED, "a.example"), (DELIVERED, "a.example")]
            assert b.connections == 1

    asyncio.run(play())


def test_a_lost_connection_is_not_taken_to_the_next_host(tmp_path: Path) -> None:
    """It may have taken the message already."""

    async def play() -> None:
        async with two_hosts(tmp_path, Script(drop_after_data=1), Script()) as (here, _, b):
            await here.submit("bob@example.com", sender="")
            await here.run(most=timedelta(minutes=2))
            assert [each["event"] for each in here.events] == [DEFERRED]
            assert b.connections == 0

    asyncio.run(play())
