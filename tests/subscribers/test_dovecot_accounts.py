"""Log-ins to accounts of the store and of a real Dovecot: who is asked, what is counted, what the answers tell."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address

import pytest

from op25b.store import Store, upgrade
from op25b.subscribers.async_login import AsyncLogins, Settings, Unavailable
from op25b.subscribers.dovecot_accounts import DovecotAccounts
from op25b.subscribers.dovecot_auth import DovecotAuth
from op25b.subscribers.login import Outcome
from tests.subscribers.conftest import House
from tests.subscribers.test_async_login import Slept
from tests.support.dovecot import NEEDED, Dovecot

pytestmark = NEEDED
HOME, AWAY = ip_address("192.0.2.1"), ip_address("198.51.100.1")
USERS = {"jiro": "himitsu", "Saburo@b.example": "himitsu", "unpaid": "himitsu::::::nologin=y", "taro": "dovecot's"}


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(USERS, "auth_username_format = %u\n") as running:
        yield running


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/op25b.db"
    upgrade(url)
    store = Store(url)
    made = House(store)
    made.add("taro", "the store's")
    yield made
    store.close()


def _run(
    house: House, dovecot: Dovecot, work: Callable[[AsyncLogins, Slept], Awaitable[None]], domains: tuple[str, ...] = ()
) -> None:
    async def main() -> None:
        slept = Slept()
        accounts = DovecotAccounts(DovecotAuth(str(dovecot.socket), os.urandom), domains)
        logins = AsyncLogins(house.logins, Settings(), house.clock, slept, accounts)
        try:
            async with asyncio.timeout(30):
                await work(logins, slept)
        finally:
            await logins.close()

    asyncio.run(main())


def test_the_store_first_and_dovecot_for_other_names(house: House, dovecot: Dovecot) -> None:
    async def work(logins: AsyncLogins, slept: Slept) -> None:
        for name, password, expected in (
            ("taro", "the store's", Outcome.LET_IN),
            ("taro", "dovecot's", Outcome.WRONG),
            ("jiro", "himitsu", Outcome.LET_IN),
            ("JIRO", "himitsu", Outcome.LET_IN),
            ("jiro", "wrong", Outcome.WRONG),
            ("shiro", "himitsu", Outcome.WRONG),
            ("a b", "himitsu", Outcome.WRONG),
            ("unpaid", "himitsu", Outcome.SUSPENDED),
            ("unpaid", "wrong", Outcome.WRONG),
        ):
            assert (name, (await logins.check(name, password, HOME)).outcome) == (name, expected)
        # whoever was asked, a failure is answered after the same time
        assert slept.seconds == [1.0] * 6

    _run(house, dovecot, work)


@pytest.mark.parametrize(
    ("user", "domains", "expected"),
    [
        ("jiro", ("a.example", "b.example"), {"jiro@a.example", "jiro@b.example"}),
        ("jiro", (), set()),
        ("Saburo@b.example", ("a.example", "b.example"), {"saburo@b.example"}),
        ("saburo@elsewhere.example", ("a.example",), {"saburo@elsewhere.example"}),
        ("a b", ("a.example",), None),
        ("a@", ("a.example",), None),
        ("", ("a.example",), None),
    ],
)
def test_whose_senders_are_whose(user: str, domains: tuple[str, ...], expected: set[str] | None) -> None:
    account = DovecotAccounts(DovecotAuth("/nonexistent", os.urandom), domains).account(user)
    assert (None if account is None else account.senders) == expected


def test_who_logged_in_elsewhere_is_looked_for_in_both(house: House, dovecot: Dovecot) -> None:
    async def work(logins: AsyncLogins, _: Slept) -> None:
        for sender, expected in (
            ("taro@example.jp", "taro"),
            ("taro@a.example", None),  # the store says what is taro's, and that is not
            ("jiro@a.example", "jiro"),
            ("jiro@example.jp", None),
        ):
            account = await logins.owner(["taro", "jiro"], sender)
            assert (sender, account and account.name) == (sender, expected)

    _run(house, dovecot, work, ("a.example",))


def test_guessers_are_locked_out_and_the_customer_is_not(house: House, dovecot: Dovecot) -> None:
    async def work(logins: AsyncLogins, _: Slept) -> None:
        before = dovecot.log().count("Password mismatch")
        asked = (logins.check("jiro", f"guess {number}", AWAY) for number in range(100))
        outcomes = [result.outcome for result in await asyncio.gather(*asked)]
        assert outcomes.count(Outcome.WRONG) == house.limits.pair
        assert outcomes.count(Outcome.LOCKED_OUT) == 100 - house.limits.pair
        assert dovecot.log().count("Password mismatch") - before == house.limits.pair
        assert (await logins.check("jiro", "himitsu", AWAY)).outcome is Outcome.LOCKED_OUT
        assert (await logins.check("jiro", "himitsu", HOME)).outcome is Outcome.LET_IN

    _run(house, dovecot, work)


def test_from_where_a_customer_logged_in_before_others_do_not_lock_him_out(house: House, dovecot: Dovecot) -> None:
    async def work(logins: AsyncLogins, _: Slept) -> None:
        assert (await logins.check("jiro", "himitsu", AWAY)).outcome is Outcome.LET_IN
        asked = (logins.check(f"user{number}", "guess", AWAY) for number in range(house.limits.block))
        await asyncio.gather(*asked)
        assert (await logins.check("saburo@b.example", "himitsu", AWAY)).outcome is Outcome.LOCKED_OUT
        assert (await logins.check("jiro", "himitsu", AWAY)).outcome is Outcome.LET_IN

    _run(house, dovecot, work)


def test_a_change_of_the_password_counts_as_soon_as_dovecot_knows(house: House) -> None:
    with Dovecot({"jiro": "old"}) as dovecot:

        async def work(logins: AsyncLogins, _: Slept) -> None:
            assert (await logins.check("jiro", "old", HOME)).outcome is Outcome.LET_IN
            assert (await logins.check("jiro", "brand-new", HOME)).outcome is Outcome.WRONG
            dovecot.change({"jiro": "brand-new"})
            # Dovecot looks at its file once a second
            while (await logins.check("jiro", "old", HOME)).outcome is Outcome.LET_IN:
                await asyncio.sleep(0.1)
            assert (await logins.check("jiro", "brand-new", HOME)).outcome is Outcome.LET_IN

        _run(house, dovecot, work)


def test_without_dovecot_the_store_s_accounts_go_on(house: House) -> None:
    with Dovecot({}) as dovecot:
        pass

    async def work(logins: AsyncLogins, slept: Slept) -> None:
        assert (await logins.check("taro", "the store's", HOME)).outcome is Outcome.LET_IN
        with pytest.raises(Unavailable, match="is away: "):
            await logins.check("jiro", "himitsu", HOME)
        assert slept.seconds == []

    _run(house, dovecot, work)
