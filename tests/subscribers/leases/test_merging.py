"""Facts in, holders out, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest

from op25b.store import Store, changes
from op25b.subscribers.leases import Claim, Leases, Release, Restart, all_holders, held_by, holders, who
from tests.subscribers.conftest import START

EXPIRE = timedelta(hours=1)
P4, P6 = "192.0.2.1/32", "2001:db8:0:100::/56"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def claim(who: str, seconds: float, *prefixes: str, started: float | None = None, session: str = "") -> Claim:
    begun = at(seconds if started is None else started)
    return Claim("bng", session or f"s-{who}", who, prefixes or (P4,), at(seconds), begun)


def stop(who: str, seconds: float, *prefixes: str, started: float = 0, session: str = "") -> Release:
    return Release("bng", session or f"s-{who}", who, prefixes, at(seconds), at(started))


@pytest.fixture
def leases(store: Store) -> Leases:
    return Leases(store, EXPIRE)


def now(store: Store, seconds: float) -> dict[str, str]:
    """Who holds what; asked in three ways."""
    with store.read() as connection:
        everything = all_holders(connection, at(seconds))
        assert {prefix: held.subscriber for prefix, held in holders(connection, [P4, P6], at(seconds)).items()} == {
            prefix: subscriber for prefix, subscriber in everything.items() if prefix in (P4, P6)
        }
        by_subscriber = held_by(connection, set(everything.values()), at(seconds))
        assert {each.prefix: each.subscriber for held in by_subscriber.values() for each in held} == everything
    return everything


def then(store: Store, seconds: float, address: str = "192.0.2.1") -> str | None:
    with store.read() as connection:
        holder = who(connection, ip_address(address), at(seconds)).holder
    return holder and holder.subscriber


def test_a_session_from_start_to_stop(store: Store, leases: Leases) -> None:
    assert leases.merge([claim("taro", 10, P4, P6)], at(10)).changed == (P4, P6)
    assert now(store, 11) == {P4: "taro", P6: "taro"}
    assert leases.merge([claim("taro", 600, P4, P6, started=9)], at(601)).changed == ()
    assert set(leases.merge([stop("taro", 700, started=10)], at(700)).changed) == {P4, P6}
    assert now(store, 701) == {}
    assert [then(store, seconds) for seconds in (8, 9, 699, 700)] == [None, "taro", "taro", None]
    assert then(store, 100, "2001:db8:0:1ff::1") == "taro"
    with store.read() as connection:
        assert sorted(subject for _, (_, subject) in changes.after(connection, 0)) == [P4, P4, P6, P6]


def test_a_duplicate_writes_nothing(store: Store, leases: Leases) -> None:
    facts = [claim("taro", 10, P4, P6), stop("taro", 50, started=10), Restart("bng", at(5))]
    assert leases.merge(facts, at(60)).sessions == 1
    assert leases.merge(facts, at(61)).sessions == 0


def test_who_claims_last_holds_and_the_other_does_not_come_back(store: Store, leases: Leases) -> None:
    leases.merge([claim("taro", 10)], at(10))
    assert leases.merge([claim("hanako", 20)], at(20)).changed == (P4,)
    assert now(store, 21) == {P4: "hanako"}
    assert leases.merge([stop("taro", 25, started=10)], at(25)).changed == ()
    leases.merge([stop("hanako", 30, started=20)], at(30))
    assert now(store, 31) == {}
    with store.read() as connection:
        answer = who(connection, ip_address("192.0.2.1"), at(22))
    assert answer.holder is not None
    assert answer.holder.subscriber == "hanako"
    assert [(other.subscriber, other.until) for other in answer.others] == [("taro", at(25))]


def test_a_lost_stop_expires(store: Store, leases: Leases) -> None:
    leases.merge([claim("taro", 10)], at(10))
    assert now(store, 3609) == {P4: "taro"}
    assert now(store, 3610) == {}
    assert leases.merge([claim("taro", 4000, started=10)], at(4000)).changed == (P4,)
    assert then(store, 3800) == "taro"


def test_a_lease_that_says_its_end(store: Store) -> None:
    leases = Leases(store, None)
    fact = Claim("kea", "1", "taro", (P4,), at(10), at(10), at(500))
    leases.merge([fact], at(10))
    assert now(store, 499) == {P4: "taro"}
    assert now(store, 500) == {}


def test_a_restart_ends_what_is_not_seen_again(store: Store, leases: Leases) -> None:
    leases.merge([claim("taro", 10, P4), claim("hanako", 20, P6)], at(20))
    assert leases.merge([Restart("other", at(30))], at(30)).changed == ()
    assert set(leases.merge([Restart("bng", at(30))], at(30)).changed) == {P4, P6}
    assert now(store, 31) == {}
    assert leases.merge([claim("hanako", 40, P6, started=20)], at(40)).changed == (P6,)
    assert now(store, 41) == {P6: "hanako"}
    assert [then(store, seconds) for seconds in (29, 30)] == ["taro", None]


def test_everything_in_one_second(store: Store, leases: Leases) -> None:
    """Many sources know only seconds: who is still there holds it, in whatever order the reports come."""
    facts = [Restart("bng", at(10)), claim("taro", 10), stop("taro", 10, started=10), claim("hanako", 10)]
    leases.merge(facts, at(10))
    assert now(store, 11) == {P4: "hanako"}


def test_another_address_in_the_same_session(store: Store, leases: Leases) -> None:
    moved = "192.0.2.2/32"
    leases.merge([claim("taro", 10, P4, P6)], at(10))
    assert set(leases.merge([claim("taro", 100, moved, started=10)], at(100)).changed) == {P4, moved}
    assert now(store, 101) == {moved: "taro", P6: "taro"}
    assert [then(store, seconds) for seconds in (99, 100)] == ["taro", None]
    assert [then(store, seconds, "192.0.2.2") for seconds in (99, 100)] == [None, "taro"]


def test_a_clock_that_is_ahead_wins_no_longer_than_now(store: Store, leases: Leases) -> None:
    leases.merge([claim("taro", 10_000_000)], at(10))
    leases.merge([claim("hanako", 20)], at(20))
    assert now(store, 21) == {P4: "hanako"}
