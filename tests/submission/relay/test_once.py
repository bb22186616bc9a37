"""Messages with a key: of all that come one leaves, and nobody is offered it who may have it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from op25b.errors import UserError
from op25b.store import Store, upgrade
from op25b.store.once import PREFIX, Register, Standing, State, expect
from op25b.submission.spool.envelope import Recipient
from op25b.submission.spool.marks import Mark
from op25b.submission.spool.marks import State as Marked
from op25b.submission.spool.reader import Reader
from tests.submission.relay.peers import Script, peer
from tests.submission.relay.world import DEFERRED, DELIVERED, FAILED, START, World, world

KEY = f"{PREFIX}1"
BOB = "bob@example.com"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    url = f"sqlite:///{tmp_path}/op25b.db"
    upgrade(url)
    made = Store(url)
    with made.write() as connection:
        expect(connection, [KEY], START)
    return made


def known(store: Store) -> Standing:
    return Register(store).admit([(KEY, "none")], START)[KEY]


def twins(here: World) -> list[str]:
    return [each["queue_id"] for each in here.events if each["event"] == "absorbed"]


def test_of_twins_one_leaves(tmp_path: Path, store: Store) -> None:
    async def play() -> None:
        async with peer() as hop, world(tmp_path / "spool", smart_host=hop.hop, register=Register(store)) as here:
            first = await here.submit(BOB, envid=KEY)
            second = await here.submit(BOB, envid=KEY)
            await here.run()
            third = await here.submit(BOB, envid=KEY)
            await here.run()
            assert len(hop.got) == 1
            assert known(store).state is State.DELIVERED
            assert {known(store).queue_id, *twins(here)} == {first, second, third}
            assert here.waiting() == []

    asyncio.run(play())


def test_a_key_that_was_not_written_down_means_nothing(tmp_path: Path, store: Store) -> None:
    async def play() -> None:
        async with peer() as hop, world(tmp_path / "spool", smart_host=hop.hop, register=Register(store)) as here:
            for key in (f"{PREFIX}guessed", f"{PREFIX}guessed", "other", "other"):
                await here.submit(BOB, envid=key)
            for _ in range(2):
                await here.submit(BOB, "carol@example.com", envid=KEY)
            await here.run()
            assert len(hop.got) == 6

    asyncio.run(play())


@pytest.mark.parametrize(
    ("script", "events", "copies", "state"),
    [
        (Script(drop_in_data=1), [FAILED], 0, State.DOUBT),
        (Script(drop_after_data=1), [FAILED], 1, State.DOUBT),
        (Script(end=["451 4.3.0 disk full", "250 OK"]), [DEFERRED, DELIVERED], 1, State.DELIVERED),
        (Script(mail=["421 4.3.2 too busy", "250 OK"]), [DEFERRED, DELIVERED], 1, State.DELIVERED),
        (Script(rcpt={BOB: ["550 5.1.1 no such user"]}), [FAILED], 0, State.FAILED),
    ],
    ids=["drop-in-data", "drop-after-data", "data-4xx", "mail-421", "rcpt-5xx"],
)
def test_what_became_of_it_is_known(
    tmp_path: Path, store: Store, script: Script, events: list[str], copies: int, state: State
) -> None:
    async def play() -> None:
        async with (
            peer(script) as hop,
            world(tmp_path / "spool", smart_host=hop.hop, register=Register(store)) as here,
        ):
            await here.submit(Recipient(BOB, notify=("NEVER",)), envid=KEY)
            await here.run()
            assert [each["event"] for each in here.events if each.get("recipient") == BOB] == events
            assert len(hop.contents(BOB)) == copies
            assert known(store).state is state

    asyncio.run(play())


@pytest.mark.parametrize(
    ("state", "event", "copies"),
    [
        (State.WAITING, DELIVERED, 1),
        (State.HANDING, FAILED, 0),
        (State.DOUBT, FAILED, 0),
        (State.DELIVERED, DELIVERED, 0),
        (State.FAILED, FAILED, 0),
    ],
)
def test_the_relay_was_killed_before_the_mark(
    tmp_path: Path, store: Store, state: State, event: str, copies: int
) -> None:
    async def play() -> None:
        async with peer() as hop, world(tmp_path / "spool", smart_host=hop.hop, register=Register(store)) as here:
            queue_id = await here.submit(Recipient(BOB, notify=("NEVER",)), envid=KEY)
            Register(store).admit([(KEY, queue_id)], START)
            Register(store).put(KEY, state, "", START)
            await here.run()
            assert here.last(BOB)["event"] == event
            assert len(hop.got) == copies
            assert here.waiting() == []

    asyncio.run(play())


class Away:
    """A register that is away when asked to write one of these states for the first time; None: a claim."""

    def __init__(self, register: Register, *states: State | None) -> None:
        self._register, self.states = register, [*states]

    def _call(self, state: State | None) -> None:
        if state in self.states:
            self.states.remove(state)
            raise UserError("the store is away")

    def admit(self, seen: Sequence[tuple[str, str]], at: datetime) -> Mapping[str, Standing]:
        self._call(None)
        return self._register.admit(seen, at)

    def put(self, key: str, state: State, detail: str, at: datetime) -> None:
        self._call(state)
        self._register.put(key, state, detail, at)


def test_without_the_store_other_mail_goes_on_and_this_waits(tmp_path: Path, store: Store) -> None:
    async def play() -> None:
        away = Away(Register(store), None, State.HANDING)
        async with peer() as hop, world(tmp_path / "spool", smart_host=hop.hop, register=away) as here:
            await here.submit(BOB, envid=KEY)
            await here.submit("carol@example.com")
            await here.relay.step()
            assert [each["event"] for each in here.events] == ["register-unusable"]
            await here.run(until=lambda: len(hop.got) == 2)
            assert [each.recipients for each in hop.got] == [["carol@example.com"], [BOB]]
            assert [each["event"] for each in here.events if each.get("recipient") == BOB] == [DEFERRED, DELIVERED]

    asyncio.run(play())


def test_the_store_is_away_when_it_is_delivered(tmp_path: Path, store: Store) -> None:
    async def play() -> None:
        away = Away(Register(store), State.DELIVERED)
        async with peer() as hop, world(tmp_path / "spool", smart_host=hop.hop, register=away) as here:
            await here.submit(BOB, envid=KEY)
            await here.run()
            assert len(hop.got) == 1
            assert known(store).state is State.HANDING
            await here.relay.step()
            assert known(store).state is State.DELIVERED

    asyncio.run(play())


def test_an_operator_drops_it(tmp_path: Path, store: Store) -> None:
    async def play() -> None:
        async with peer() as hop, world(tmp_path / "spool", smart_host=hop.hop, register=Register(store)) as here:
            queue_id = await here.submit(BOB, envid=KEY, held="looked at")
            await here.relay.step()
            operator = Reader.open(tmp_path / "spool", exclusive=False)
            operator.scan()
            operator.mark([Mark(queue_id, None, Marked.DROPPED, START)])
            for _ in range(2):
                await here.relay.step()
            assert (known(store).state, known(store).detail) == (State.FAILED, "dropped by an operator")
            assert hop.got == []

    asyncio.run(play())
