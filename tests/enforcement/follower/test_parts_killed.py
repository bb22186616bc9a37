"""Enforcer, follower and database killed, each in turn under load: who is exempt passes all along, and nobody else.

After each restart the kernel holds exactly what the store says, what changed meanwhile included.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from op25b.cli.main import run
from op25b.enforcement.members import Delta
from op25b.enforcement.prefix_texts import members
from op25b.errors import UserError
from op25b.subscribers.exemptions.transitions import Kind
from op25b.subscribers.leases import Claim
from tests.support.databases import Server, schema
from tests.support.enforced import Edge
from tests.support.following import POLICY, Site, now, prefixes, until
from tests.support.traffic import Traffic

pytestmark = pytest.mark.root


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    try:
        made.start()
        yield made
    finally:
        made.end()
        made.remove()


@pytest.fixture
def site(edge: Edge, server: Server, tmp_path: Path) -> Iterator[Site]:
    with Site(edge, schema(server.folder), tmp_path) as opened:
        yield opened


class Load:
    """Somebody who reports leases all the time, of exempt subscribers and of others, as far as the store takes them."""

    def __init__(self, site: Site) -> None:
        self._site, self._ends = site, threading.Event()
        self.merged = self.failed = 0

    def __enter__(self) -> Load:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._ends.wait(0.002):
            number += 1
            at, who = now(), f"s{number % 50}"
            address = f"198.19.{number // 100 % 100}.{number % 100}/32"
            try:
                self._site.leases.merge([Claim("bng", f"{who}-{number}", who, (address,), at, at)], at)
                self.merged += 1
            except UserError:
                self.failed += 1


@contextmanager
def always_treated(traffic: Traffic, passing: str) -> Iterator[None]:
    """While the block lasts, the packets of these pools pass, and all others are refused: hundreds of them."""
    with traffic.flowing() as flowing:
        yield
    assert len(flowing.fates) > 100
    for (pool, version), fate in flowing.fates:
        assert fate == ("arrived" if pool in passing else "reset"), f"pool {pool} over IPv{version}: {fate}"


def verified(site: Site) -> int:
    """The exit status of `op25b verify`."""
    policy = site.edge.records.folder / "policy.toml"
    policy.write_text(POLICY)
    return run(["verify", str(policy), "--state", str(site.edge.records.folder), "--store", site.url])


def test_each_part_killed_under_load(site: Site, server: Server) -> None:
    for number in range(0, 50, 2):
        site.grant(Kind.SUBSCRIBER, f"s{number}")
    for who in ("taro", "jiro"):
        site.grant(Kind.SUBSCRIBER, who)
    site.moves("taro", None, "a")

    def while_dead() -> None:
        time.sleep(0.7)

    with Traffic() as traffic, Load(site) as load:
        until(lambda: traffic.passing() == "a", "the first exemption")

        with always_treated(traffic, "a"):
            site.enforcer.kill()
            while_dead()
        site.moves("jiro", None, "b")
        assert traffic.passing() == "a"
        site.enforcer.start()
        until(lambda: traffic.passing() == "ab", "what changed while the enforcer was dead")

        with always_treated(traffic, "ab"):
            site.follower.kill()
            while_dead()
        site.moves("jiro", "b", "c")
        assert traffic.passing() == "ab"
        site.follower.start()
        until(lambda: traffic.passing() == "ac", "what changed while the follower was dead")

        with always_treated(traffic, "ac"):
            server.end()
            while_dead()
            server.start()
        until(lambda: site.follower.said("the store is back") == 1, "the store")
        site.moves("jiro", "c", "d")
        until(lambda: traffic.passing() == "ad", "a change after the store was back")

        with always_treated(traffic, "ad"):
            site.follower.kill()
            site.enforcer.kill()
            server.end()
            while_dead()
            server.start()
            site.enforcer.start()
            site.follower.start()
        assert load.merged > 100
        assert load.failed > 0
    assert verified(site) == 0, "differences, see above"
    assert site.follower.said("the enforcer is away") == 1
    assert site.follower.said("the store is away") == 1
    site.enforcer.client().change(Delta(remove=members(prefixes("d"))))
    assert verified(site) == 1
