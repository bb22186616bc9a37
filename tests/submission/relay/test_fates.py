"""The invariant: whatever next hops do and whenever the relay is killed, every recipient ends as what happened says.

- Delivered: a next hop took the message at least once, and the sender hears of no failure.
- Failed: the sender heard of it exactly once (never, if it did not want to).
- Otherwise it still waits. Nobody is lost, and no message is torn or mixed with another.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.submission.relay.settings import Limits
from op25b.submission.spool.envelope import Recipient
from tests.submission.relay.peers import Peer, Script, peer
from tests.submission.relay.world import World, world

ANSWERS = st.lists(
    st.sampled_from(["250 OK", "250 OK", "450 4.2.0 later", "550 5.1.1 never", "452 4.5.3 many", "421 4.3.2 closing"]),
    min_size=1,
    max_size=4,
)
ENDS = st.lists(st.sampled_from(["250 OK", "250 OK", "451 4.3.0 later", "554 5.6.0 never"]), min_size=1, max_size=4)


@dataclass(frozen=True)
class Plan:
    """`answers`: by recipient. `kills`: relay steps after which its process dies."""

    answers: list[list[str]]
    ends: list[str]
    mails: list[str]
    drops: tuple[int, int]
    pipelining: bool
    notify: list[bool]
    split: int
    kills: list[int]


PLANS = st.builds(
    Plan,
    answers=st.lists(ANSWERS, min_size=1, max_size=6),
    ends=ENDS,
    mails=st.lists(st.sampled_from(["250 OK", "250 OK", "421 4.3.2 full", "451 4.3.0 later"]), max_size=3),
    drops=st.tuples(st.integers(0, 2), st.integers(0, 1)),
    pipelining=st.booleans(),
    notify=st.lists(st.booleans(), min_size=6, max_size=6),
    split=st.integers(1, 6),
    kills=st.lists(st.integers(1, 8), max_size=3),
)


@given(PLANS)
@settings(max_examples=30)
def test_every_fate(plan: Plan) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(play(plan, Path(folder)))


async def play(plan: Plan, folder: Path) -> None:
    names = [f"u{number}@example.com" for number in range(len(plan.answers))]
    script = Script(
        rcpt=dict(zip(names, map(list, plan.answers), strict=True)),
        mail=[*plan.mails, "250 OK"],
        end=[*plan.ends, "250 OK"],
        drop_in_data=plan.drops[0],
        drop_after_data=plan.drops[1],
        show=["PIPELINING"] if plan.pipelining else [],
    )
    limits = Limits(connections=2, idle=0.05)
    # bounces have a host of their own, which takes all: they are counted there
    async with (
        peer(script) as hop,
        peer() as home,
        world(folder, smart_host=hop.hop, routes={"example.net": home.hop}, limits=limits, poll=1800) as here,
    ):
        messages = await submit(here, plan, names)
        for steps in plan.kills:
            await here.run(most=timedelta(minutes=30 * steps))
            await kill(here)
        await here.run(most=timedelta(days=9))
        check(here, hop, home, plan, messages)


async def submit(here: World, plan: Plan, names: list[str]) -> dict[str, list[str]]:
    made = {}
    for at in range(0, len(names), plan.split):
        some = names[at : at + plan.split]
        to = [Recipient(name, () if plan.notify[names.index(name)] else ("NEVER",)) for name in some]
        content = f"Subject: m{at}\r\n\r\nbody of m{at}\r\n".encode()
        made[await here.submit(*to, content=content)] = some
    return made


async def kill(here: World) -> None:
    """The relay's process ends in the middle: nothing is settled, nothing is said good-bye to."""
    await here.relay.step()
    for _ in range(5):
        await asyncio.sleep(0.001)
    for task in list(here.relay._settling):
        task.cancel()
    await asyncio.gather(*here.relay._settling, return_exceptions=True)
    for destination in here.relay._destinations.values():
        await destination.close(0)
    here.relay._destinations = {}
    await here.end()
    await here.start()


def check(here: World, hop: Peer, home: Peer, plan: Plan, messages: dict[str, list[str]]) -> None:
    waiting = {message.queue_id: message for message in here.waiting()}
    bounced = [
        name.decode()
        for report in home.contents("alice@example.net")
        for name in re.findall(rb"Final-Recipient: rfc822; (\S+)\r\nAction: failed", report)
    ]
    for queue_id, names in messages.items():
        for name in names:
            states = [each["event"] for each in here.events if each.get("recipient") == name]
            copies = hop.contents(name)
            wants = plan.notify[int(name[1 : name.index("@")])]
            assert all(re.fullmatch(rb"Subject: (m\d+)\r\n\r\nbody of \1\r\n", copy) for copy in copies)
            if queue_id in waiting and not waiting[queue_id].status.recipients[name].done:
                assert name not in bounced
            elif bounced.count(name):
                assert wants
                # one that is killed between a host's 250 and its own mark hands the bounce over again (RFC 5321, 6.1)
                assert bounced.count(name) <= 1 + len(plan.kills)
            else:
                assert copies or not wants
            # a process that is killed between a mark and its log line takes the line with it
            if not plan.kills:
                assert copies if states[-1] == "delivered" else name in bounced or not wants
    assert set(bounced) <= {name for names in messages.values() for name in names}
    assert not waiting, "nine days are enough for all of them"
