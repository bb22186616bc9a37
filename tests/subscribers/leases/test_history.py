"""Who held an address at any instant, and what is forgotten in the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import count
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from op25b.store import Store
from op25b.subscribers.leases import (
    Claim,
    Fact,
    Leases,
    Release,
    Restart,
    all_holders,
    forget_old,
    periods,
    who,
    who_each,
)
from tests.subscribers.conftest import START

EXPIRE = timedelta(seconds=30)
LATER = START + timedelta(hours=1)
Held = tuple[str, int, int]
"""Who held an address, from when until when: seconds after START."""
_numbers = count()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def life(who_: str, since: int, reports: int, end: str, source: str, prefix: str) -> tuple[list[Fact], int]:
    """The reports of a session, ten seconds apart, and when it is over. `end`: how one hears of that."""
    session = f"{prefix} {since}"
    last = since + 10 * reports
    facts: list[Fact] = [
        Claim(source, session, who_, (prefix,), at(since + 10 * number), at(since)) for number in range(reports + 1)
    ]
    if end == "stop":
        facts.append(Release(source, session, who_, (prefix,), at(last + 5), at(since)))
    if end == "restart":
        facts.append(Restart(source, at(last + 5)))
    # else the end is lost: the session expires
    return facts, last + (30 if end == "lost" else 5)


lives = st.lists(
    st.tuples(
        st.sampled_from(["taro", "hanako", "jiro"]),
        st.integers(1, 60),
        st.integers(0, 5),
        st.sampled_from(["stop", "restart", "lost"]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(lives, st.integers(0, 2**32))
def test_one_after_another_each_had_it_in_his_time(
    store: Store, sessions: list[tuple[str, int, int, str]], seed: int
) -> None:
    """A new one comes before the end of the one before, or after a pause; reports come in any order, some twice."""
    number, mix = next(_numbers), Random(seed)
    address = ip_address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    facts: list[Fact] = []
    held: list[Held] = []
    start = 0
    for place, (who_, pause, reports, end) in enumerate(sessions):
        start += pause
        mine, over = life(who_, start, reports, end, f"bng{number}-{place}", f"{address}/32")
        facts += mine
        held.append((who_, start, over))
        start += 10 * reports + 1
    facts += [fact for fact in facts if mix.random() < 0.2]
    mix.shuffle(facts)
    leases = Leases(store, EXPIRE)
    for place in range(0, len(facts), 5):
        leases.merge(facts[place : place + 5], LATER)
    asked = [(address, at(second + 0.5)) for second in range(start + 40)]
    with store.read() as connection:
        answers = who_each(connection, asked)
    found = [answer.holder and answer.holder.subscriber for answer in answers]
    assert found == [truth(held, second) for second in range(start + 40)]


def truth(held: list[Held], second: int) -> str | None:
    """The last who had begun, if he had not ended."""
    begun = [each for each in held if each[1] <= second]
    return begun[-1][0] if begun and second < begun[-1][2] else None


def test_of_nested_prefixes_the_longest_counts(store: Store) -> None:
    facts = [
        Claim("bng", "1", "taro", ("2001:db8::/48",), at(20), at(20)),
        Claim("bng", "2", "hanako", ("2001:db8:0:1::/64",), at(10), at(10)),
    ]
    Leases(store, None).merge(facts, LATER)
    with store.read() as connection:
        inside = who(connection, ip_address("2001:db8:0:1::1"), at(30))
        beside = who(connection, ip_address("2001:db8:0:2::1"), at(30))
    assert inside.holder is not None
    assert beside.holder is not None
    assert (inside.holder.subscriber, beside.holder.subscriber) == ("hanako", "taro")
    assert [other.subscriber for other in inside.others] == ["taro"]


def test_what_a_subscriber_held(store: Store) -> None:
    facts = [Claim("bng", f"{number}", "taro", (f"10.1.0.{number}/32",), at(number), at(number)) for number in range(5)]
    Leases(store, EXPIRE).merge(facts, LATER)
    with store.read() as connection:
        assert [period.prefix for period in periods(connection, "taro", 2)] == ["10.1.0.4/32", "10.1.0.3/32"]


def claim(who_: str, host: int, seconds: int) -> Claim:
    return Claim("a", who_, who_, (f"10.2.0.{host}/32",), at(seconds), at(seconds))


def stop(who_: str, seconds: int) -> Release:
    return Release("a", who_, who_, (), at(seconds), at(0))


def rows(store: Store) -> Iterator[int]:
    with store.read() as connection:
        for table in ("sessions", "leases", "newest_claims", "restarts"):
            yield connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def test_what_ended_long_ago_is_forgotten(store: Store) -> None:
    """Stopped, expired, restarted, taken over; not what lasts, nor what ended lately."""
    leases = Leases(store, None)
    Leases(store, EXPIRE).merge([claim("expired", 1, 0)], LATER)
    leases.merge([claim("stopped", 2, 0), stop("stopped", 9)], LATER)
    leases.merge([Claim("b", "restarted", "taro", ("10.2.0.3/32",), at(0), at(0)), Restart("b", at(5))], LATER)
    leases.merge([claim("taken", 4, 0), claim("lasting", 4, 7)], LATER)
    leases.merge([claim("late", 5, 7), stop("late", 500)], LATER)
    assert forget_old(store, at(8)) == 2
    assert forget_old(store, at(100)) == 2
    assert list(rows(store)) == [2, 2, 2, 0]
    with store.read() as connection:
        assert all_holders(connection, LATER) == {"10.2.0.4/32": "lasting"}
        answer = who(connection, ip_address("10.2.0.5"), at(100))
    assert answer.holder is not None
    # who comes back after that is simply new
    leases.merge([claim("stopped", 2, 600)], LATER)
    with store.read() as connection:
        assert all_holders(connection, LATER) == {"10.2.0.4/32": "lasting", "10.2.0.2/32": "stopped"}
