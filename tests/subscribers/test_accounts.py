"""Accounts on both databases: every change is there or not at all, and the trail says who made it."""

from __future__ import annotations

import itertools
import threading

import pytest

from op25b.errors import UserError
from op25b.store.audit import trail
from op25b.subscribers.accounts import New, prepared_name, prepared_senders
from op25b.subscribers.passwords import Secret
from tests.subscribers.conftest import House

HASH = Secret("{SSHA}uofoWDOuI8MN4W2VTeeDoG0oG4rg3zF5", None)


def test_what_is_added_is_found(house: House) -> None:
    secret = house.hasher.make("x")
    new = New("taro", secret, frozenset({"taro@example.jp", "@shop.example.jp"}), {"messages_per_day": 5})
    house.accounts.add([new], house.by("new customer"))
    account = house.accounts.find("taro")
    assert account is not None
    assert account.secret == secret
    assert account.senders == new.senders
    assert account.limits == {"messages_per_day": 5}
    assert account.suspended is None
    assert account.created_at == account.changed_at == house.clock.wall()
    assert account.may_send_as("Info@Shop.example.jp")
    assert not account.may_send_as("hanako@example.jp")
    assert house.accounts.find("hanako") is None
    assert house.accounts.all() == [account]


def test_a_taken_name_adds_nothing(house: House) -> None:
    house.add("taro", "x")
    others = [New(name, HASH, frozenset({"@example.jp"})) for name in ("jiro", "taro", "saburo")]
    with pytest.raises(UserError, match="taro exists already"):
        house.accounts.add(others, house.by())
    assert [account.name for account in house.accounts.all()] == ["taro"]


def test_many(house: House) -> None:
    """More than fit into one query."""
    names = [f"user{number}" for number in range(1200)]
    house.accounts.add([New(name, HASH, frozenset({f"{name}@example.jp"})) for name in names], house.by())
    assert house.accounts.existing([*names, "nobody"]) == set(names)
    assert len(house.accounts.all()) == 1200


def test_each_change_raises_the_version_and_leaves_a_line(house: House) -> None:
    house.add("taro", "x")
    house.accounts.set_secret("taro", HASH, house.by("forgot it"))
    house.accounts.change("taro", house.by("moved"), frozenset({"@example.com"}), {"messages_per_hour": 1})
    assert house.accounts.suspend("taro", house.by("spam"))
    assert not house.accounts.suspend("taro", house.by("again"))
    assert house.accounts.resume("taro", house.by("cleaned"))
    assert not house.accounts.resume("taro", house.by("again"))
    assert not house.accounts.change("taro", house.by("again"), frozenset({"@example.com"}))
    account = house.accounts.find("taro")
    assert account is not None
    assert account.version == 5
    with house.store.read() as connection:
        entries = trail(connection, "taro")
    assert [(entry.what, entry.why) for entry in entries] == [
        ("add", "test"),
        ("reset", "forgot it"),
        ("change", "moved"),
        ("suspend", "spam"),
        ("resume", "cleaned"),
    ]
    assert entries[0].before is None
    assert all(later.before == earlier.after for earlier, later in itertools.pairwise(entries))
    assert entries[3].after is not None
    assert entries[3].after["suspended"] == "spam"


def test_the_trail_holds_no_secret(house: House) -> None:
    house.add("taro", "tiger-lily")
    account = house.accounts.find("taro")
    assert account is not None
    house.accounts.set_secret("taro", HASH, house.by())
    with house.store.read() as connection:
        text = repr(trail(connection)) + repr(account)
    for secret in ("tiger-lily", account.secret.hash[-20:], HASH.hash[6:], "argon2id$"):
        assert secret not in text


@pytest.mark.parametrize("method", ["suspend", "resume"])
def test_an_account_that_is_not_there(house: House, method: str) -> None:
    with pytest.raises(UserError, match="there is no account taro"):
        getattr(house.accounts, method)("taro", house.by())


def test_a_change_meanwhile_wins_over_a_late_one(house: House) -> None:
    house.add("taro", "x")
    assert house.accounts.set_secret("taro", HASH, house.by(), seen=1)
    assert not house.accounts.set_secret("taro", house.hasher.make("y"), house.by(), seen=1)
    account = house.accounts.find("taro")
    assert account is not None
    assert account.secret == HASH


def test_changes_at_the_same_time_come_one_after_the_other(house: House) -> None:
    house.add("taro", "x")

    def change() -> None:
        for number in range(5):
            house.accounts.change("taro", house.by(), limits={"messages_per_day": number + threading.get_ident()})

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    account = house.accounts.find("taro")
    assert account is not None
    assert account.version == 21
    with house.store.read() as connection:
        entries = trail(connection, "taro")
    assert all(later.before == earlier.after for earlier, later in itertools.pairwise(entries))


def test_names_and_senders_say_what_to_write() -> None:
    assert prepared_name("Taro@Example.JP") == "taro@example.jp"
    assert prepared_senders("taro@example.jp", []) == {"taro@example.jp"}
    for call, words in (
        (lambda: prepared_name("a b"), "holds a space"),
        (lambda: prepared_senders("taro", []), "--sender"),
        (lambda: prepared_senders("taro", ["example.jp"]), "write user@example.jp"),
    ):
        with pytest.raises(UserError, match=words):
            call()
