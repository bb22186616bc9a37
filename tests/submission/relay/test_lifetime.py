"""A message's life beyond its attempts: held, looping, caught by a crash, marked by an operator."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from op25b.submission.relay.settings import NextHop
from op25b.submission.spool.marks import Mark, State
from op25b.submission.spool.reader import Reader
from tests.submission.relay.peers import Script, peer
from tests.submission.relay.world import CONTENT, DEFERRED, DELIVERED, FAILED, world


def test_hold_until(tmp_path: Path) -> None:
    """FUTURERELEASE (RFC 4865): not a minute early, and its age counts from then."""

    async def play() -> None:
        script = Script(rcpt={"bob@example.com": ["451 4.0.0 not now", "250 OK"]})
        async with peer(script) as hop, world(tmp_path, smart_host=hop.hop, poll=600) as here:
            until = here.time.now + timedelta(days=10)
            queue_id = await here.submit("bob@example.com", hold_until=until)
            await here.run(most=timedelta(days=11))
            tries = [each for each in here.events if each.get("recipient") == "bob@example.com"]
            assert [each["event"] for each in tries] == [DEFERRED, DELIVERED]
            assert until <= tries[0]["at"] <= until + timedelta(minutes=10)
            assert here.states(queue_id) == {"bob@example.com": DELIVERED}
            assert hop.contents("alice@example.net") == []

    asyncio.run(play())


def test_bounces_of_bounces_end(tmp_path: Path) -> None:
    async def play() -> None:
        script = Script(mail=["550 5.7.1 no mail from you at all"])
        async with peer(script) as hop, world(tmp_path, smart_host=hop.hop) as here:
            await here.submit("bob@example.com")
            await here.run()
            assert [each["sender"] for each in here.events] == ["alice@example.net", ""]
            assert [each["event"] for each in here.events] == [FAILED, FAILED]
            assert here.waiting() == []

    asyncio.run(play())


def test_loops_end(tmp_path: Path) -> None:
    async def play() -> None:
        own = b"Received: from x (x [192.0.2.1])\r\n\tby mail.example.net with ESMTP id 1;\r\n\tnow\r\n"
        foreign = b"Received: from x by relay.example.org; now\r\n"
        async with peer() as hop, world(tmp_path, smart_host=hop.hop) as here:
            kept = await here.submit("bob@example.com", content=own * 2 + foreign * 90 + CONTENT)
            circling = await here.submit("bob@example.com", content=own * 6 + CONTENT)
            hops = await here.submit("bob@example.com", content=foreign * 101 + CONTENT)
            await here.run()
            assert [here.states(each)["bob@example.com"] for each in (kept, circling, hops)] == [
                DELIVERED, FAILED, FAILED,
            ]  # fmt: skip
            failures = [each for each in here.events if each["event"] == FAILED]
            assert {each["status"] for each in failures} == {"5.4.6"}

    asyncio.run(play())


def test_a_crash_between_bounce_and_mark_bounces_once(tmp_path: Path) -> None:
    async def play() -> None:
        script = Script(rcpt={"never@example.com": ["550 5.1.1 no such user"]})
        async with peer(script) as hop, world(tmp_path, smart_host=hop.hop) as here:
            queue_id = await here.submit("never@example.com")

            async def dies(*_: object, **__: object) -> None:
                await asyncio.Event().wait()

            here.marker.mark = dies  # type: ignore[method-assign]
            await here.relay.step()
            while len(here.waiting()) < 2:
                await asyncio.sleep(0.01)
            for task in list(here.relay._settling):
                task.cancel()
            await asyncio.gather(*here.relay._settling, return_exceptions=True)
            await here.end()
            await here.start()
            await here.run()
            assert here.states(queue_id) == {"never@example.com": FAILED}
            assert len(hop.contents("alice@example.net")) == 1
            assert here.waiting() == []

    asyncio.run(play())


def test_operators_marks_are_followed(tmp_path: Path) -> None:
    async def play() -> None:
        routes = {"closed.example": NextHop("127.0.0.1", 1)}
        async with peer() as hop, world(tmp_path, smart_host=hop.hop, routes=routes) as here:

            def mark(queue_id: str, state: State) -> None:
                other = Reader.open(tmp_path, exclusive=False)
                other.scan()
                other.mark([Mark(queue_id, None, state, here.time.now, "by hand")])

            held = await here.submit("bob@example.com")
            mark(held, State.HELD)
            stuck = await here.submit("carol@closed.example")
            await here.run(most=timedelta(minutes=2))
            assert hop.got == []
            assert here.states(stuck) == {"carol@closed.example": DEFERRED}
            mark(held, State.RELEASED)
            mark(stuck, State.RETRY)
            await here.run(most=timedelta(minutes=1))
            assert len(hop.got) == 1
            assert [each["event"] for each in here.events if each["queue_id"] == stuck] == [DEFERRED] * 2
            mark(stuck, State.DROPPED)
            await here.run(most=timedelta(minutes=2))
            assert here.relay.waiting == 0
            assert here.waiting() == []

    asyncio.run(play())
