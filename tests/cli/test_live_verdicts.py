"""Verdicts with a store: who held an address then, and whether he was exempt; one by one as by file."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from op25b.store import Store, upgrade
from op25b.store.tables import leases as leases_table
from op25b.store.tables import newest_claims, restarts, sessions
from op25b.subscribers.leases import Claim, Leases, Release, Restart, history
from tests.cli.conftest import Op25b
from tests.subscribers.exemptions.conftest import START, confine, put
from tests.support.databases import postgresql, url
from tests.support.enforced import policy

__all__ = ["confine", "postgresql", "put", "url"]
HOUR = timedelta(hours=1)
SOURCES = {4: "198.18.1.7", 6: "2001:db8:1::7"}
HELD = ("198.18.1.7/32", "2001:db8:1::/64")
ELSEWHERE = {4: "203.0.113.9", 6: "2001:db8:ffff::9"}
BLOCKED = ("block", "covered", "phase/block")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()


@pytest.fixture
def leases(store: Store) -> Leases:
    return Leases(store, None)


def claim(who: str, hours: float, *prefixes: str) -> Claim:
    at = START + hours * HOUR
    return Claim("bng", f"s-{who}-{hours}", who, prefixes or HELD, at, at)


@pytest.fixture
def verdict(op25b: Op25b, url: str, tmp_path: Path) -> Callable[..., list[tuple[str, str, str]]]:
    """(verdict, reason, rule) at each of these hours after START, asked one by one and by a file."""
    file = tmp_path / "policy.toml"
    file.write_text(policy("a"))

    def ask(hours: list[float], version: int = 4, to: str = "") -> list[tuple[str, str, str]]:
        to = to or ELSEWHERE[version]
        instants = [(START + each * HOUR).isoformat() for each in hours]
        asked = [
            op25b("explain", file, "--from", SOURCES[version], "--to", to, "--at", at, "--store", url, "--json").data
            for at in instants
        ]
        one_by_one = [(each["verdict"], each["reason"], each["rule"]) for each in asked]
        flows = tmp_path / "flows.csv"
        flows.write_text("src,dst,dport,at\n" + "".join(f"{SOURCES[version]},{to},25,{at}\n" for at in instants))
        answer = op25b("explain", file, "--batch", flows, "--store", url)
        rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(answer.out)))
        assert [(row["verdict"], row["reason"], row["rule"]) for row in rows] == one_by_one
        return one_by_one

    return ask


def exempt(number: int) -> tuple[str, str, str]:
    return "pass", "exempt", f"exemption/x{number}"


@pytest.mark.parametrize("version", [4, 6])
def test_who_held_it_then(leases: Leases, put: Callable[..., int], verdict: Callable[..., Any], version: int) -> None:
    granted = put(subscriber="taro", from_at=START + HOUR, until_at=START + 10 * HOUR)
    now = START + 100 * HOUR
    leases.merge([claim("taro", 0), claim("jiro", 4), claim("taro", 6)], now)
    leases.merge([Release("bng", "s-taro-6", "taro", HELD, START + 8 * HOUR, START + 6 * HOUR)], now)
    found = verdict([0.5, 1, 3.99, 4, 5, 6, 7.99, 8, 20], version)
    assert found == [BLOCKED, *[exempt(granted)] * 2, *[BLOCKED] * 2, *[exempt(granted)] * 2, *[BLOCKED] * 2]


def test_who_does_not_hold_it(leases: Leases, put: Callable[..., int], verdict: Callable[..., Any]) -> None:
    put(subscriber="taro")
    leases.merge([claim("taro", 0, "198.18.1.8/32")], START + HOUR)
    assert verdict([0, 1]) == [BLOCKED] * 2


def test_quarantine(
    leases: Leases, put: Callable[..., int], confine: Callable[[str], None], verdict: Callable[..., Any]
) -> None:
    put(subscriber="taro")
    confine("taro")
    leases.merge([claim("taro", 0)], START + HOUR)
    assert verdict([1]) == [BLOCKED]


def test_prefixes_and_destinations(put: Callable[..., int], verdict: Callable[..., Any], store: Store) -> None:
    wide = put(kind="prefix", subscriber=None, prefix="2001:db8:1::/60", until_at=START + HOUR)
    to = put(kind="destination", subscriber=None, prefix="2001:db8:ffff::/48", from_at=START + 2 * HOUR)
    assert verdict([0, 1, 2], 6) == [exempt(wide), BLOCKED, exempt(to)]
    assert verdict([0, 2], 6, "2001:db8:fffe::1") == [exempt(wide), BLOCKED]


def test_nested_prefixes_count_both_as_in_the_filter(
    leases: Leases, put: Callable[..., int], verdict: Callable[..., Any]
) -> None:
    granted = put(subscriber="taro")
    leases.merge([claim("taro", 0, "2001:db8:1::/56"), claim("jiro", 1, "2001:db8:1::/64")], START + 2 * HOUR)
    assert verdict([2], 6) == [exempt(granted)]


def test_files_of_many_batches(
    leases: Leases, put: Callable[..., int], op25b: Op25b, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch comes with other addresses and another time."""
    monkeypatch.setattr("op25b.cli.flowfile.BLOCK", 1 << 10)
    file, flows = tmp_path / "policy.toml", tmp_path / "flows.csv"
    file.write_text(policy("a"))
    numbers = [put(subscriber=f"s{n}", until_at=START + 1000 * HOUR) for n in range(200)]
    leases.merge([claim(f"s{n}", n, f"198.18.1.{n}/32") for n in range(0, 200, 2)], START + 1000 * HOUR)
    lines = [f"198.18.1.{n},203.0.113.9,25,{(START + (n + 0.5) * HOUR).isoformat()}" for n in range(200)]
    flows.write_text("src,dst,dport,at\n" + "\n".join(lines) + "\n")
    found = op25b("explain", file, "--batch", flows, "--store", url)
    rules = [row["rule"] for row in csv.DictReader(io.StringIO(found.out))]
    assert rules == [f"exemption/x{numbers[n]}" if n % 2 == 0 else "phase/block" for n in range(200)]


WHO = st.sampled_from(["taro", "jiro", "hanako"])
TIMES = st.integers(0, 12).map(lambda hours: START + hours * HOUR)
AGO = st.integers(0, 2).map(lambda hours: hours * HOUR)
facts = st.lists(
    st.one_of(
        st.builds(
            lambda who, at, back: Claim("bng", who, who, HELD, at, at - back * HOUR), WHO, TIMES, st.integers(0, 2)
        ),
        st.builds(lambda who, at: Release("bng", who, who, HELD, at, at), WHO, TIMES),
        st.builds(lambda at: Restart("bng", at), TIMES),
    ),
    max_size=8,
)


def test_tenures_say_what_who_says_at_every_instant(store: Store) -> None:
    leases = Leases(store, 3 * HOUR)
    address = ip_address(SOURCES[4])

    @settings(max_examples=60)
    @given(facts)
    def agree(story: list[Any]) -> None:
        with store.write() as connection:
            for table in (newest_claims, leases_table, sessions, restarts):
                connection.execute(delete(table))
        leases.merge(story, START + 100 * HOUR)
        with store.read() as connection:
            tenures = history.tenures(connection, [HELD[0]])
            for half, tick in itertools.product(range(-6, 40), (-1, 0, 1)):
                at = START + half / 2 * HOUR + timedelta(microseconds=tick)
                held = [
                    each.subscriber for each in tenures if each.since <= at and (each.until is None or at < each.until)
                ]
                holder = history.who(connection, address, at).holder
                assert held == ([] if holder is None else [holder.subscriber])
            span = START + 2 * HOUR, START + 5 * HOUR
            for who in ("taro", "jiro", "hanako"):
                had = any(
                    each.subscriber == who and each.since <= span[1] and (each.until is None or each.until > span[0])
                    for each in tenures
                )
                # more may be named, fewer not
                assert not had or history.leased_to(connection, [who], *span)

    agree()
