"""What is granted passes within a tenth of a second, wherever its subscriber goes; what ends is blocked as soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median

import pytest

from op25b.subscribers.exemptions.transitions import Kind
from tests.support.enforced import Edge
from tests.support.following import PATIENCE, Site, now, prefixes
from tests.support.traffic import SERVER, Traffic

pytestmark = pytest.mark.root
PROMISE, NEVER_ABOVE, TIMES = 0.1, 1.0, 7


@pytest.fixture
def site(edge: Edge, url: str, tmp_path: Path) -> Iterator[Site]:
    with Site(edge, url, tmp_path) as opened:
        yield opened


class Stopwatch:
    """Seconds from what was done to the packets' being treated accordingly, by what it was."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self.taken: dict[str, list[float]] = {}

    def until_passing(self, pools: str, what: str, since: float) -> None:
        """Until the packets of exactly these pools pass, over IPv4 and IPv6; `since`: seconds since 1970."""
        end = time.time() + PATIENCE
        while {flow for flow, fate in self._traffic.probe().items() if fate == "arrived"} != {
            (pool, version) for pool in pools for version in (4, 6)
        }:
            assert time.time() < end, f"{what}: in vain"
        self.taken.setdefault(what, []).append(time.time() - since)

    def after(self, done: Callable[[], object], pools: str, what: str) -> None:
        done()
        self.until_passing(pools, what, time.time())

    def kept(self) -> None:
        for what, taken in self.taken.items():
            assert median(taken) < PROMISE, self.taken
            assert max(taken) < NEVER_ABOVE, f"{what}: {self.taken}"


def test_a_subscriber_who_moves(site: Site, traffic: Traffic) -> None:
    watch = Stopwatch(traffic)
    site.moves("taro", None, "a")
    watch.until_passing("", "nothing yet", time.time())
    for _ in range(TIMES):
        granted = site.grant(Kind.SUBSCRIBER, "taro")
        watch.until_passing("a", "granted", time.time())
        watch.after(lambda: site.moves("taro", "a", "b"), "b", "another address")
        watch.after(lambda: site.moves("jiro", None, "b"), "", "the address taken over")
        watch.after(lambda: site.moves("taro", None, "a"), "a", "an address again")
        site.revoke(granted)
        watch.until_passing("", "revoked", time.time())
        site.moves("jiro", "b", None)
    watch.kept()


def test_an_end_and_a_beginning_by_the_clock(site: Site, traffic: Traffic) -> None:
    watch = Stopwatch(traffic)
    site.moves("taro", None, "a")
    for _ in range(TIMES):
        granted = site.grant(Kind.SUBSCRIBER, "taro", lasts=timedelta(seconds=0.4))
        watch.until_passing("a", "granted", time.time())
        assert granted.asked.until_at is not None
        assert now() < granted.asked.until_at
        watch.until_passing("", "ended", granted.asked.until_at.timestamp())
        assert min(watch.taken["ended"]) >= 0, watch.taken
    watch.kept()


def test_prefixes_and_destinations(site: Site, traffic: Traffic) -> None:
    watch = Stopwatch(traffic)
    for kind, subjects, passing in (
        (Kind.PREFIX, prefixes("c"), "c"),
        (Kind.PREFIX, ("198.18.2.0/29", "2001:db8:2::/61"), "b"),
        (Kind.DESTINATION, tuple(f"{server}/{server.max_prefixlen}" for server in SERVER.values()), "abcd"),
    ):
        for _ in range(3):
            granted = [site.grant(kind, subject) for subject in subjects]
            watch.until_passing(passing, f"{kind} granted", time.time())
            for each in granted:
                site.revoke(each)
            watch.until_passing("", f"{kind} revoked", time.time())
    watch.kept()
