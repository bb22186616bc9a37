"""Log-ins on an event loop: nothing blocks it, the right ones do not queue behind guessers, failures take one time."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import text

from op25b.subscribers.async_login import AsyncLogins, Settings, Unavailable
from op25b.subscribers.login import Outcome
from op25b.subscribers.passwords import Hasher, take_over
from tests.subscribers.conftest import CHEAP, House
from tests.subscribers.test_schemes import HASHES, PASSWORD

HOME = ip_address("192.0.2.1")


class Slept:
    """Notes how long was slept for, and does not sleep."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def run(house: House, body: Callable[[AsyncLogins, Slept], Awaitable[Any]], settings: Settings | None = None) -> None:
    async def main() -> None:
        slept = Slept()
        logins = AsyncLogins(house.logins, settings or Settings(), house.clock, slept)
        try:
            await body(logins, slept)
        finally:
            await logins.close()

    asyncio.run(main())


def test_outcomes(house: House) -> None:
    house.add("taro", stored=take_over(HASHES[3]))

    async def body(logins: AsyncLogins, slept: Slept) -> None:
        assert (await logins.check("taro", PASSWORD, HOME)).outcome is Outcome.LET_IN
        assert slept.seconds == []
        assert (await logins.check("taro", "wrong", HOME)).outcome is Outcome.WRONG
        assert (await logins.check("hanako", "wrong", HOME)).outcome is Outcome.WRONG
        question = await logins.begin_scram("taro", HOME)
        assert (await logins.end_scram(question, False, b"n")).outcome is Outcome.WRONG
        await logins.fail()
        assert slept.seconds == [1.0] * 4

    run(house, body)
    account = house.accounts.find("taro")
    assert account is not None
    assert not house.hasher.is_outdated(account.secret)


def test_a_failure_is_answered_at_a_multiple(house: House) -> None:
    class Slow(Hasher):
        def check(self, stored: str, password: str) -> bool:
            house.clock.move(2.25)
            return super().check(stored, password)

    house.hasher = Slow(os.urandom, CHEAP, 4096)  # type: ignore[assignment]
    house.logins = house.new_process()

    async def body(logins: AsyncLogins, slept: Slept) -> None:
        await logins.check("taro", "wrong", HOME)
        assert slept.seconds == [0.75]

    run(house, body)


def test_a_burst_renews_once(house: House) -> None:
    house.add("taro", stored=take_over(HASHES[3]))

    async def body(logins: AsyncLogins, _: Slept) -> None:
        results = await asyncio.gather(*(logins.check("taro", PASSWORD, HOME) for _ in range(20)))
        assert {result.outcome for result in results} == {Outcome.LET_IN}

    run(house, body)
    account = house.accounts.find("taro")
    assert account is not None
    assert account.version == 2


def test_a_burst_of_guesses_is_bounded_too(house: House) -> None:
    """All are asked before the first one has failed."""
    house.add("taro", "secret")

    async def body(logins: AsyncLogins, _: Slept) -> None:
        await asyncio.gather(*(logins.check("taro", f"guess {number}", HOME) for number in range(100)))

    run(house, body)
    assert house.hasher.checks <= house.limits.pair + Settings().hashing_threads


def test_the_cached_pass_those_that_are_hashed(house: House) -> None:
    """While guesses fill every hashing thread, whoever logged in before is let in at once, and the loop runs."""
    release = threading.Event()
    house.add("taro", "secret")
    house.logins.check("taro", "secret", HOME)

    class Stuck(Hasher):
        def check(self, stored: str, password: str) -> bool:
            release.wait(20)
            return False

    house.logins._hasher = Stuck(os.urandom, CHEAP, 4096)

    async def body(logins: AsyncLogins, _: Slept) -> None:
        guesses = [asyncio.ensure_future(logins.check("taro", str(number), ip_address(number))) for number in range(10)]
        while len(logins._proofs) < 10:
            await asyncio.sleep(0.001)
        started = time.monotonic()
        result = await logins.check("taro", "secret", HOME)
        assert result.outcome is Outcome.LET_IN
        assert time.monotonic() - started < 5
        assert not any(guess.done() for guess in guesses)
        release.set()
        await asyncio.gather(*guesses)

    run(house, body)


class Gate(Hasher):
    """Notes what is checked, and checks nothing until it is opened."""

    def __init__(self) -> None:
        super().__init__(os.urandom, CHEAP, 4096)
        self.opened = threading.Event()
        self.checked: list[str] = []

    def check(self, stored: str, password: str) -> bool:
        self.checked.append(password)
        self.opened.wait(20)
        return super().check(stored, password)


def test_who_is_known_comes_first_then_who_did_not_fail(house: House) -> None:
    house.add("taro", "secret")
    house.add("jiro", "right")
    house.logins.check("taro", "secret", HOME)
    house.accounts.change("taro", house.by(), limits={"messages_per_hour": 1})  # no longer in the cache
    house.logins._hasher = gate = Gate()
    bot, phone = ip_address("198.51.100.7"), ip_address("203.0.113.9")

    async def body(logins: AsyncLogins, _: Slept) -> None:
        asked = []
        for number in range(9):
            asked.append(asyncio.ensure_future(logins.check(f"name{number}", f"guess {number}", bot)))
            while len(logins._proofs) <= number:
                await asyncio.sleep(0.001)
        for name, password, address in (("jiro", "right", phone), ("taro", "secret", HOME)):
            asked.append(asyncio.ensure_future(logins.check(name, password, address)))
        while not asked[8].done():  # the last in rank had to go when both waited
            await asyncio.sleep(0.001)
        gate.opened.set()
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert [result for result in results if isinstance(result, Unavailable)] == [results[8]]
        assert gate.checked[:4] == ["guess 0", "secret", "right", "guess 1"]

    run(house, body, Settings(hashing_threads=1, waiting=9))


def test_who_waits_too_long_is_told_to_come_back(house: House) -> None:
    house.logins._hasher = gate = Gate()

    async def body(logins: AsyncLogins, _: Slept) -> None:
        first = asyncio.ensure_future(logins.check("a", "x", HOME))
        while not gate.checked:
            await asyncio.sleep(0.001)
        with pytest.raises(Unavailable, match="too long"):
            await logins.check("b", "x", HOME)
        gate.opened.set()
        assert (await first).outcome is Outcome.WRONG
        assert (await logins.check("b", "x", HOME)).outcome is Outcome.WRONG

    run(house, body, Settings(hashing_threads=1, patience_seconds=0.05))


def test_many_log_ins_of_one_account_are_one_check(house: House) -> None:
    house.add("taro", "secret")

    async def body(logins: AsyncLogins, _: Slept) -> None:
        for password, expected in (("secret", Outcome.LET_IN), ("wrong", Outcome.WRONG)):
            before = house.hasher.checks
            results = await asyncio.gather(*(logins.check("taro", password, HOME) for _ in range(50)))
            assert {result.outcome for result in results} == {expected}
            assert house.hasher.checks == before + 1

    run(house, body)


def test_one_check_does_not_answer_for_another_block(house: House) -> None:
    """A wrong password counts where it came from, however many try the same."""
    house.add("taro", "secret")

    async def body(logins: AsyncLogins, _: Slept) -> None:
        await asyncio.gather(*(logins.check("taro", "wrong", ip_address(number)) for number in range(5)))
        assert [house.lockout.failures(f"0.0.0.{number}/32", house.clock()) for number in range(5)] == [1] * 5

    run(house, body)


def test_a_store_that_is_gone_is_no_wrong_password(house: House) -> None:
    with house.store.write() as connection:
        connection.execute(text("ALTER TABLE accounts RENAME TO elsewhere"))

    async def body(logins: AsyncLogins, slept: Slept) -> None:
        with pytest.raises(Unavailable):
            await logins.check("taro", "secret", HOME)
        with pytest.raises(Unavailable):
            await logins.begin_scram("taro", HOME)
        assert slept.seconds == []

    run(house, body)
