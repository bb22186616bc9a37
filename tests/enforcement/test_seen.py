"""Who tried, and how often: counters that are read and zeroed while packets come, none lost and none counted twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from op25b.enforcement import kernel, readback
from op25b.enforcement.elements import Addresses4
from op25b.enforcement.netlink import Netlink
from op25b.enforcement.requests import Seen
from op25b.enforcement.seen import Counters
from tests.support.enforced import Edge, policy
from tests.support.enforcer import Enforcer
from tests.support.traffic import Traffic

pytestmark = pytest.mark.root
POLICY = policy("ab", "a")
BOTH = pytest.mark.parametrize("zeroes", [True, False], ids=["zeroed", "differences"])


@pytest.fixture
def edge(edge: Edge) -> Edge:
    edge.apply(POLICY)
    return edge


def packets(seen: Seen) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, attempts in seen.items():
        for source, count in zip(attempts.sources, attempts.packets.tolist(), strict=True):
            found[f"{name} {ip_address(source.tobytes())}"] += count
    return found


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited in vain"


def once(times: int) -> dict[str, int]:
    return {"refused4 198.18.2.7": times, "refused6 2001:db8:2::": times}


@BOTH
def test_counted_since_the_last_time(edge: Edge, traffic: Traffic, zeroes: bool) -> None:
    counters = Counters(edge.link, zeroes)
    assert counters.take() == {}
    traffic.probe()
    traffic.probe()
    assert packets(counters.take()) == once(2)
    traffic.probe()
    assert packets(counters.take()) == once(3), "not kept: it comes again"
    counters.kept()
    assert counters.take() == {}
    traffic.probe()
    found = counters.take()
    assert packets(found) == once(1)
    assert found["refused4"].octets.tolist() == [len(b"x" * 40)]


@BOTH
def test_a_source_that_had_expired_counts_from_zero(edge: Edge, traffic: Traffic, nft: Callable, zeroes: bool) -> None:
    counters = Counters(edge.link, zeroes)
    counters.take()
    for _ in range(3):
        traffic.probe()
    counters.take()
    counters.kept()
    nft("flush set inet op25b refused4\nflush set inet op25b refused6")
    traffic.probe()
    assert packets(counters.take()) == once(1)


@BOTH
def test_nothing_is_lost_or_counted_twice_under_traffic(edge: Edge, traffic: Traffic, zeroes: bool) -> None:
    counters = Counters(edge.link, zeroes)
    counters.take()
    found: Counter[str] = Counter()
    with traffic.flowing() as flowing:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            found += packets(counters.take())
            counters.kept()
    found += packets(counters.take())
    sent = Counter(flow for flow, _ in flowing.fates)
    assert sent["b", 4] > 50
    assert found == {"refused4 198.18.2.7": sent["b", 4], "refused6 2001:db8:2::": sent["b", 6]}


def test_thousands_of_sources_over_the_socket(edge: Edge, nft: Callable[..., str]) -> None:
    elements = ", ".join(f"10.0.{n >> 8}.{n & 255} counter packets {n + 1} bytes {40 * n}" for n in range(60_000))
    nft(f"add element inet op25b refused4 {{ {elements} }}")
    with Enforcer() as enforcer, enforcer.client() as client:
        # the kernel may move its elements about for a while after so many came
        until(lambda: len(client.seen()["refused4"].sources) == 60_000)
        with enforcer.client() as other:
            found = other.seen()["refused4"]
            assert sorted(found.packets.tolist()) == list(range(1, 60_001))
            assert sorted(found.octets.tolist()) == [40 * n for n in range(60_000)]
            other.seen_kept()
        assert client.seen() == {}


def test_no_table(link: Netlink) -> None:
    assert Counters(link).take() == {}
    assert Counters(link, zeroes=False).take() == {}


def test_a_source_that_expires_while_it_is_asked_for(edge: Edge, nft: Callable[..., str]) -> None:
    there = [n for n in range(600) if n not in (0, 255, 256, 300, 599)]
    elements = ", ".join(f"10.0.{n >> 8}.{n & 255} counter packets {n + 1} bytes 9" for n in there)
    nft(f"add element inet op25b refused4 {{ {elements} }}")
    asked = Addresses4.of([(10 << 24) + n for n in range(600)])
    found = readback.take_counts(edge.link, kernel.NAME, "refused4", asked)
    assert found is not None
    assert sorted(found.packets.tolist()) == [n + 1 for n in there]
    again = readback.take_counts(edge.link, kernel.NAME, "refused4", asked)
    assert again is not None
    assert set(again.packets.tolist()) == {0}
