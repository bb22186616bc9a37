"""The nftables dialect: golden texts, the same text for the same policy, and a kernel that takes every one of them."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from op25b.policy.model import Policy
from op25b.ruleset.lower import lower
from op25b.ruleset.nftables import TREE, render, table
from tests.support import wire
from tests.support.policies import INSTANTS, policies
from tests.support.trio import Trio

GOLDEN = Path(__file__).parents[1] / "golden" / "nftables"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.toml"))
AT = datetime(2008, 4, 1, tzinfo=timezone(timedelta(hours=9)))


@pytest.fixture(scope="module")
def trio() -> Iterator[Trio]:
    with Trio() as found:
        yield found


def golden(name: str) -> dict[str, Any]:
    return tomllib.loads((GOLDEN / f"{name}.toml").read_text("utf-8"))


def rendered(document: dict[str, Any]) -> str:
    return render(lower(Policy.model_validate(document), AT))


def many(intervals: int) -> dict[str, Any]:
    """A policy of that many intervals in each family: prefixes of several lengths, none beside another."""
    prefixes = [f"10.{n >> 12 & 255}.{n >> 4 & 255}.{n % 16 * 16}/{(29, 30, 31, 29)[n % 4]}" for n in range(intervals)]
    prefixes += [f"2001:db8:{2 * n:x}::/{(48, 56, 64, 127)[n % 4]}" for n in range(intervals)]
    return golden("always") | {"pools": [{"name": "many", "prefixes": prefixes, "line": "b-flets"}]}


@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str) -> None:
    """To write them anew: delete them, run, read the difference."""
    path = GOLDEN / f"{name}.nft"
    text = rendered(golden(name))
    if not path.exists():
        path.write_text(text, "utf-8")
        pytest.fail(f"{path} was missing; it has been written, read it")
    assert text == path.read_text("utf-8")


@pytest.mark.root
@pytest.mark.parametrize("name", NAMES)
def test_kernel_takes_the_golden_text(trio: Trio, name: str) -> None:
    trio.load(rendered(golden(name)))
    listed = trio.nft("list", "table", "inet", "op25b")
    # loading it again replaces it and changes nothing
    trio.load(rendered(golden(name)))
    assert trio.nft("list", "table", "inet", "op25b") == listed


@pytest.mark.parametrize("name", NAMES)
def test_order_of_prefixes_and_addresses_changes_nothing(name: str) -> None:
    document = golden(name)
    shuffled = random.Random(25)
    for each in (*document["pools"], *document["own_servers"], *document.get("exemptions", ())):
        for key in ("prefixes", "destinations", "addresses"):
            if key in each:
                shuffled.shuffle(each[key])
    assert rendered(document) == rendered(golden(name))


def test_split_prefixes_change_nothing() -> None:
    document = golden("always")
    document["pools"][0]["prefixes"] = ["198.18.0.0/22", "2001:db8:0:8000::/49", "2001:db8::/49"]
    assert rendered(document) == rendered(golden("always"))


@settings(max_examples=100)
@given(policies())
def test_names_are_declared_once_and_used_only_when_declared(policy: Policy) -> None:
    for at in INSTANTS[:2]:
        written = table(lower(policy, at), "g7_")
        sets = [each.name for each in written.sets]
        chains = list(written.chains)
        assert len(sets) == len(set(sets))
        assert all(name.startswith("g7_") for name in (*sets, *chains))
        body = "\n".join(written.body(members=True))
        assert set(re.findall(r"(?:goto|jump) ([^\s,}]+)", body)) <= set(chains)
        assert set(re.findall(r"@(g7_\S+)", body)) <= set(sets)
        declared = {line.split()[1] for line in written.declarations()}
        assert set(re.findall(r"counter name (\S+)", body)) <= declared
        assert set(re.findall(r"update @(\S+)", body)) <= declared


def test_names_that_look_alike_do_not_collide() -> None:
    """A name in a policy may end like one that is made here."""
    names = ("a", "a.v4", "a.hosts4", "a.v4.v4")
    document = golden("always") | {
        "pools": [{"name": name, "prefixes": [f"198.18.{n}.0/24", f"198.19.{n}.1"]} for n, name in enumerate(names)],
        "phases": [{"name": name, "scope": {"pools": [name]}, "mode": "enforce"} for name in names],
        "exemptions": [
            {"name": name, "prefixes": [f"198.18.{n}.0/25"], "destinations": ["192.0.2.0/25"], "reason": "x"}
            for n, name in enumerate(names)
        ],
    }
    written = table(lower(Policy.model_validate(document), AT))
    sets = [each.name for each in written.sets]
    assert len(sets) == len(set(sets))
    # each phase has a chain of its own with a counter of its own
    for name in names:
        assert any(f"counter name phase/{name} " in line for line in written.chains[f"phase/{name}"])


@pytest.mark.root
def test_longest_names_fit(trio: Trio) -> None:
    name = "n" * 64
    document = golden("side-by-side")
    for key in ("phases", "exemptions", "own_servers"):
        document[key][0]["name"] = name
    trio.load(rendered(document))


@pytest.mark.root
@pytest.mark.parametrize("intervals", [TREE, TREE + 1, 2 * TREE])
def test_large_sets_hold_exactly_what_they_should(trio: Trio, intervals: int) -> None:
    """Whether the prefixes are in one tree or in hashes: both edges of members from one end to the other."""
    policy = Policy.model_validate(many(intervals))
    ruleset = lower(policy, AT)
    trio.load(render(ruleset))
    sources = ruleset.phases[0].sources
    assert sources is not None
    expected: dict[int, set[str]] = {}
    packets = []
    for version, dst in ((4, ip_address("192.0.2.99")), (6, ip_address("2001:dba::25"))):
        spans = sources.family(version)
        assert len(spans) == intervals
        for span in spans[:: intervals // 50] + spans[-1:]:
            for value in (span[0] - 1, span[0], span[1], span[1] + 1):
                src, number = type(dst)(value), trio.number()
                packets.append(wire.ip(src, dst, wire.TCP, wire.tcp(src, dst, number, 25)))
                expected[number] = {"reset"} if span[0] <= value <= span[1] else {"arrived"}
    assert trio.send(packets) == expected


@pytest.mark.parametrize(("intervals", "hashes"), [(TREE, False), (TREE + 1, True)])
def test_beyond_a_size_prefixes_go_into_hashes(intervals: int, hashes: bool) -> None:
    written = table(lower(Policy.model_validate(many(intervals)), AT))
    assert {each.hosts for each in written.sets if each.name.startswith("phase/")} == {hashes}


@pytest.mark.root
@settings(max_examples=15)
@given(policy=policies())
def test_kernel_takes_any_policy(trio: Trio, policy: Policy) -> None:
    trio.load(render(lower(policy, INSTANTS[0])))
