"""Messages end delivered, bounced or queued, exactly as what happened to them says."""

from __future__ import annotations

import asyncio
import copy
import time
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from op25b.submission.relay.settings import Limits, NextHop
from op25b.submission.spool.envelope import Recipient
from tests.submission.relay.peers import Script, peer
from tests.submission.relay.world import CONTENT, DEFERRED, DELIVERED, FAILED, parse, world
from tests.submission.relay.zone import Zone


def test_delivered(tmp_path: Path) -> None:
    async def play() -> None:
        async with peer() as hop, world(tmp_path, smart_host=hop.hop) as here:
            queue_id = await here.submit("bob@example.com", "carol@example.org")
            await here.run()
            assert here.states(queue_id) == {"bob@example.com": DELIVERED, "carol@example.org": DELIVERED}
            assert [(each.sender, each.recipients) for each in hop.got] == [
                ("alice@example.net", ["bob@example.com", "carol@example.org"])
            ]
            assert hop.got[0].content == CONTENT
            assert hop.ehlo == {"mail.example.net"}
            assert here.waiting() == []

    asyncio.run(play())


def test_each_recipient_has_a_fate_of_its_own(tmp_path: Path) -> None:
    async def play() -> None:
        script = Script(
            rcpt={
                "never@example.com": ["550 5.1.1 no such user"],
                "later@example.com": ["450 4.2.0 greylisted", "450 4.2.0 greylisted", "250 OK"],
            }
        )
        async with peer(script) as hop, world(tmp_path, smart_host=hop.hop) as here:
            queue_id = await here.submit("bob@example.com", "never@example.com", "later@example.com")
            await here.run()
            assert here.states(queue_id) == {
                "bob@example.com": DELIVERED,
                "never@example.com": FAILED,
                "later@example.com": DELIVERED,
            }
            assert len(hop.contents("bob@example.com")) == 1
            assert len(hop.contents("later@example.com")) == 1
            tries = [each for each in here.events if each.get("recipient") == "later@example.com"]
            assert [each["event"] for each in tries] == [DEFERRED, DEFERRED, DELIVERED]
            [bounce] = hop.contents("alice@example.net")
            report = parse(bounce)
            assert report.get_content_type() == "multipart/report"
            assert b"Final-Recipient: rfc822; never@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n" in bounce
            assert b"bob@example.com" not in bounce.replace(b"To: bob@example.com", b"")
            assert here.waiting() == []

    asyncio.run(play())


def test_a_temporary_failure_is_tried_for_five_days_and_then_bounced(tmp_path: Path) -> None:
    async def play() -> None:
        script = Script(rcpt={"bob@example.com": ["451 4.3.0 not now"]})
        async with peer(script) as hop, world(tmp_path, smart_host=hop.hop, poll=600) as here:
            await here.submit("bob@example.com")
            await here.run()
            tries = [each for each in here.events if each.get("recipient") == "bob@example.com"]
            assert [each["event"] for each in tries[:-1]] == [DEFERRED] * (len(tries) - 1)
            assert tries[-1]["event"] == FAILED
            assert tries[-1]["status"] == "4.4.7"
            times = [each["at"] for each in tries]
            gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
            assert timedelta(days=5) <= times[-1] - times[0] < timedelta(days=5, hours=4)
            assert gaps[0] <= 1200
            assert max(gaps) >= 2 * 3600
            assert 30 < len(tries) < 80
            reports = [parse(each) for each in hop.contents("alice@example.net")]
            assert [each["Subject"] for each in reports] == [
                "Delayed mail: still being tried",
                "Undelivered mail: returned to sender",
            ]
            assert here.waiting() == []

    asyncio.run(play())


@pytest.mark.parametrize(
    ("script", "events", "copies"),
    [
        (Script(drop_in_data=1), [DEFERRED, DELIVERED], 1),
        # the reply to the last dot was lost: it may come twice, it may not be lost
        (Script(drop_after_data=1), [DEFERRED, DELIVERED], 2),
        (Script(end=["451 4.3.0 disk full", "250 OK"]), [DEFERRED, DELIVERED], 1),
        (Script(end=["554 5.6.0 spam"]), [FAILED], 0),
        (Script(mail=["421 4.3.2 too busy", "250 OK"]), [DEFERRED, DELIVERED], 1),
        (Script(mail=["550 5.7.1 not you"]), [FAILED], 0),
        (Script(rcpt={"bob@example.com": ["552 too many recipients", "250 OK"]}), [DEFERRED, DELIVERED], 1),
        (Script(rcpt={"bob@example.com": ["552 5.2.2 mailbox full"]}), [FAILED], 0),
        (Script(rcpt={"bob@example.com": ["354 what"]}), [DEFERRED] * 2, 0),
        (Script(hide={"PIPELINING"}), [DELIVERED], 1),
        (Script(hide={"SIZE", "8BITMIME", "SMTPUTF8", "HELP"}), [DELIVERED], 1),
    ],
    ids=["drop-in-data", "drop-after-data", "data-4xx", "data-5xx", "mail-421", "mail-5xx", "552-many", "552-full",
         "odd-reply", "no-pipelining", "plain"],
)  # fmt: skip
@pytest.mark.parametrize("pipelining", [True, False])
def test_what_a_next_hop_may_do(
    tmp_path: Path, script: Script, events: list[str], copies: int, pipelining: bool
) -> None:
    script = copy.deepcopy(script)
    if pipelining:
        script.show.append("PIPELINING")

    async def play() -> None:
        async with peer(script) as hop, world(tmp_path, smart_host=hop.hop) as here:
            # no bounces: what the script says shall be about this message only
            await here.submit(Recipient("bob@example.com", notify=("NEVER",)))
            await here.run(most=timedelta(minutes=8))
            happened = [each["event"] for each in here.events if each.get("recipient") == "bob@example.com"]
            assert happened == events
            assert len(hop.contents("bob@example.com")) == copies
            assert len(here.waiting()) == (events[-1] == DEFERRED)

    asyncio.run(play())


def test_a_dead_next_hop_slows_nothing_else(tmp_path: Path) -> None:
    """One host is closed, one never answers, one is slow; mail for the fourth passes them all."""

    async def play() -> None:
        silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        silent_port = silent.sockets[0].getsockname()[1]
        async with peer() as good, peer(Script(slow=0.4)) as slow:
            routes = {
                "closed.example": NextHop("127.0.0.1", 1),
                "silent.example": NextHop("127.0.0.1", silent_port),
                "slow.example": slow.hop,
            }
            async with world(tmp_path, smart_host=good.hop, routes=routes) as here:
                for number in range(300):
                    domain = ("closed.example", "silent.example", "slow.example")[number % 3]
                    await here.submit(f"u{number}@{domain}")
                began = time.perf_counter()
                for number in range(50):
                    await here.submit(f"u{number}@good.example")
                await here.relay.step()
                while len(good.got) < 50:
                    await asyncio.sleep(0.005)
                assert time.perf_counter() - began < 1.5
                assert silent.is_serving()
        silent.close()

    asyncio.run(play())


def test_a_destination_that_cannot_be_reached_is_left_alone_for_a_while(tmp_path: Path) -> None:
    async def play() -> None:
        routes = {"closed.example": NextHop("127.0.0.1", 1)}
        async with world(tmp_path, routes=routes) as here:
            for number in range(20):
                await here.submit(f"u{number}@closed.example")
            await here.run(most=timedelta(minutes=3))
            # one attempt answers for all who wait; it was refused at once
            assert {each["status"] for each in here.events} == {"4.4.1"}
            assert len(here.events) == 20
            assert len(here.waiting()) == 20
            later = {each.envelope.recipients[0].address: each.status.recipients for each in here.waiting()}
            untils = {status[address].until for address, status in later.items()}
            assert len(untils) > 15, "jitter keeps them apart"

    asyncio.run(play())


def test_a_message_that_comes_while_the_only_connection_is_being_closed_is_not_forgotten(tmp_path: Path) -> None:
    async def play() -> None:
        script = Script(rcpt={"later@example.com": ["450 4.2.0 later"]}, slow_quit=0.2)
        limits = Limits(connections=1, idle=0.01)
        async with peer(script) as hop, world(tmp_path, smart_host=hop.hop, limits=limits) as here:
            await here.submit("later@example.com")
            await here.relay.step()
            while not hop.quits:
                await asyncio.sleep(0.002)
            await here.submit("bob@example.com")
            await here.run(lambda: bool(hop.got), most=timedelta(minutes=2))
            assert hop.contents("bob@example.com")

    asyncio.run(play())


def test_a_mistake_of_ours_defers(tmp_path: Path) -> None:
    async def play() -> None:
        zone = Zone({("example.com", "MX"): RuntimeError("nobody thought of this")})
        async with world(tmp_path, zone=zone) as here:
            await here.submit("bob@example.com")
            await here.run(most=timedelta(minutes=8))
            levels = [("fault", "error"), (DEFERRED, "info")] * 2
            assert [(each["event"], each["level"]) for each in here.events] == levels
            assert len(here.waiting()) == 1

    asyncio.run(play())


def test_connections_are_reused_and_limited(tmp_path: Path) -> None:
    async def play() -> None:
        limits = Limits(connections=4, messages_per_connection=10, idle=0.1)
        async with peer() as hop, world(tmp_path, smart_host=hop.hop, limits=limits) as here:
            for number in range(100):
                await here.submit(f"u{number}@example.com")
            await here.run()
            assert len(hop.got) == 100
            assert 10 <= hop.connections <= 14
            assert 1 < hop.most_at_once <= 4

    asyncio.run(play())


@pytest.mark.parametrize("show", [[], ["PIPELINING"]])
def test_a_connection_that_the_next_hop_gave_up_is_replaced_at_once(tmp_path: Path, show: list[str]) -> None:
    """A host that takes two messages a connection and then says 421 defers nothing."""

    async def play() -> None:
        script = Script(mail=["250 OK", "250 OK", "421 4.7.0 enough"] * 10, show=show)
        limits = Limits(connections=1)
        async with peer(script) as hop, world(tmp_path, smart_host=hop.hop, limits=limits) as here:
            for number in range(12):
                await here.submit(f"u{number}@example.com")
            await here.run()
            assert len(hop.got) == 12
            assert {each["event"] for each in here.events} == {DELIVERED}

    asyncio.run(play())


def test_recipients_beyond_what_the_next_hop_takes_go_in_another_transaction(tmp_path: Path) -> None:
    async def play() -> None:
        names = [f"u{number}@example.com" for number in range(5)]
        for script in (
            Script(rcpt={name: ["452 4.5.3 too many", "250 OK"] for name in names[2:]}),
            Script(show=["LIMITS RCPTMAX=2"]),
        ):
            async with peer(script) as hop, world(tmp_path, smart_host=hop.hop) as here:
                queue_id = await here.submit(*names)
                await here.run()
                assert set(here.states(queue_id).values()) == {DELIVERED}
                assert sorted(name for each in hop.got for name in each.recipients) == names
                assert len(hop.got) >= 2
                assert len({each["at"] for each in here.events}) == 1

    asyncio.run(play())
