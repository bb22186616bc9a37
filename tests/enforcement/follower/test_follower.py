"""The live sets hold what the store says, by whatever way and in whatever order its changes are learned."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from op25b.enforcement.follower import follower as module
from op25b.enforcement.follower import present as present_module
from op25b.enforcement.follower.follower import Follower
from op25b.enforcement.follower.metrics import Followed
from op25b.enforcement.follower.present import Forgotten, Present
from op25b.processes.board import Board
from op25b.store import Store, changes
from op25b.store.tables import cases, exemptions, metadata, quarantine
from op25b.subscribers.leases import Claim, Fact, Leases, Release, Restart
from tests.enforcement.follower.conftest import EXPIRE, START, FakeEnforcer, written

HOME, NEXT, SIX = "192.0.2.1/32", "192.0.2.2/32", "2001:db8:0:100::/56"
MINUTE = timedelta(minutes=1)
Put = Callable[..., int]


class Site:
    """A store, a clock that tests move, and a follower of them with its enforcer."""

    def __init__(self, store: Store) -> None:
        self.store, self.at = store, START
        self.leases = Leases(store, EXPIRE)
        self.enforcer, self.meters = FakeEnforcer(), Board("op25b_follower", Followed).of()
        self.follower = Follower(store, lambda: self.at, self.meters)
        self.follower.begin(self.enforcer)

    def merge(self, *facts: Fact) -> tuple[str, ...]:
        return self.leases.merge(facts, self.at).changed

    def claim(self, subscriber: str, *prefixes: str, source: str = "bng") -> tuple[str, ...]:
        session = f"{subscriber}-{prefixes[0]}-{len(prefixes)}"
        return self.merge(Claim(source, session, subscriber, prefixes, self.at, self.at))

    def release(self, subscriber: str, *prefixes: str) -> tuple[str, ...]:
        return self.merge(
            Release("bng", f"{subscriber}-{prefixes[0]}-{len(prefixes)}", subscriber, prefixes, self.at, self.at)
        )

    def note(self, *found: changes.Change) -> None:
        with self.store.write() as connection:
            changes.note(connection, found, self.at)

    def end(self, exemption: int) -> None:
        with self.store.write() as connection:
            connection.execute(update(exemptions).where(exemptions.c.id == exemption).values(until_at=self.at))

    @property
    def wanted(self) -> set[str]:
        """What a look at everything says."""
        with self.store.read() as connection:
            return written(Present(connection).everything(self.at).wanted)


@pytest.fixture
def site(store: Store) -> Site:
    return Site(store)


def test_a_lease_of_an_exempt_subscriber(site: Site, put: Put) -> None:
    put(subscriber="taro")
    assert site.follower.changed(site.claim("taro", HOME, SIX))
    assert site.enforcer.held == {HOME, SIX}
    assert site.follower.changed(site.release("taro", HOME, SIX))
    assert site.enforcer.held == set()


def test_leases_of_others_are_no_request(site: Site, put: Put) -> None:
    put(subscriber="taro")
    before = site.enforcer.requests
    for number in range(20):
        assert site.follower.changed(site.claim("jiro", f"192.0.2.{number}/32"))
    site.follower.catch_up()
    assert site.enforcer.requests == before


def test_an_address_taken_over(site: Site, put: Put) -> None:
    put(subscriber="taro")
    site.follower.changed(site.claim("taro", HOME))
    site.at += MINUTE
    site.follower.changed(site.claim("jiro", HOME))
    assert site.enforcer.held == set()
    site.at += MINUTE
    site.follower.changed(site.claim("taro", NEXT))
    assert site.enforcer.held == {NEXT}


def test_the_feed_alone(site: Site, put: Put) -> None:
    site.claim("taro", HOME)
    granted = put(subscriber="taro")
    site.note(("subscriber", "taro"))
    site.follower.catch_up()
    assert site.enforcer.held == {HOME}
    site.end(granted)
    site.note(("subscriber", "taro"))
    site.follower.catch_up()
    assert site.enforcer.held == set()


def test_own_changes_seen_again_are_no_request(site: Site, put: Put) -> None:
    put(subscriber="taro")
    site.follower.changed(site.claim("taro", HOME))
    before = site.enforcer.requests
    site.follower.catch_up()
    assert site.enforcer.requests == before


def test_own_changes_are_looked_at_once(site: Site, put: Put) -> None:
    put(subscriber="taro")
    site.follower.changed(site.claim("taro", HOME, SIX))
    site.follower.catch_up()
    assert site.meters.get(Followed.CHANGES) == 2


def test_what_others_wrote_before_an_own_change_is_not_passed_over(site: Site, put: Put) -> None:
    site.claim("jiro", NEXT)
    put(subscriber="jiro")
    soon = site.at + MINUTE
    put(subscriber="taro", from_at=soon)
    site.note(("subscriber", "jiro"), ("subscriber", "taro"))
    site.follower.changed(site.claim("taro", HOME))
    assert site.enforcer.held == {NEXT}
    assert site.follower.next_moment() == soon
    site.at = soon
    site.follower.catch_up()
    assert site.enforcer.held == {HOME, NEXT}


def test_prefixes_and_destinations(site: Site, put: Put) -> None:
    put(kind="prefix", subscriber=None, prefix="198.51.100.0/24")
    inner = put(kind="prefix", subscriber=None, prefix="198.51.100.8/29")
    put(kind="destination", subscriber=None, prefix="203.0.113.25/32")
    site.note(("prefix", "198.51.100.0/24"), ("prefix", "198.51.100.8/29"), ("prefix", "203.0.113.25/32"))
    site.follower.catch_up()
    assert site.enforcer.held == {"198.51.100.0/24", "->203.0.113.25/32"}
    site.end(inner)
    site.note(("prefix", "198.51.100.8/29"))
    site.follower.catch_up()
    assert site.enforcer.held == {"198.51.100.0/24", "->203.0.113.25/32"}


def test_a_prefix_that_is_exempt_twice(site: Site, put: Put) -> None:
    put(subscriber="taro")
    fixed = put(kind="prefix", subscriber=None, prefix=HOME)
    site.follower.changed(site.claim("taro", HOME))
    site.follower.changed(site.release("taro", HOME))
    assert site.enforcer.held == {HOME}
    site.end(fixed)
    site.follower.changed([HOME])
    assert site.enforcer.held == set()


def test_exemptions_begin_and_end_by_the_clock(site: Site, put: Put) -> None:
    site.claim("taro", HOME)
    put(subscriber="taro", from_at=START + MINUTE, until_at=START + 3 * MINUTE)
    put(kind="prefix", subscriber=None, prefix=NEXT, from_at=START, until_at=START + 2 * MINUTE)
    site.note(("subscriber", "taro"), ("prefix", NEXT))
    for minutes, held in ((0, {NEXT}), (1, {HOME, NEXT}), (2, {HOME}), (3, set())):
        site.at = START + minutes * MINUTE
        site.follower.catch_up()
        assert site.enforcer.held == held
        if minutes < 3:
            assert site.follower.next_moment() == site.at + MINUTE


@pytest.mark.parametrize("jump", [timedelta(hours=5), -MINUTE])
def test_a_clock_that_jumps(site: Site, jump: timedelta) -> None:
    """The host slept, or the clock was set."""
    site.at += jump
    with pytest.raises(Forgotten):
        site.follower.catch_up()


@pytest.mark.parametrize("few", [0, 50_000])
def test_a_lost_stop(site: Site, put: Put, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(present_module, "FEW", few)
    monkeypatch.setattr(present_module, "HORIZON", 2 * EXPIRE)
    monkeypatch.setattr(module, "GAP", EXPIRE)
    put(subscriber="taro")
    site.claim("taro", HOME)
    site.follower.begin(site.enforcer)
    assert site.follower.next_moment() is not None
    site.at += EXPIRE / 2
    site.claim("taro", HOME)  # an Interim, of which the feed says nothing
    site.at = START + EXPIRE
    site.follower.catch_up()
    assert site.enforcer.held == {HOME}
    site.at += EXPIRE / 2
    site.follower.catch_up()
    assert site.enforcer.held == set()


def test_a_feed_that_has_forgotten(site: Site, put: Put) -> None:
    put(subscriber="taro")
    site.claim("taro", HOME)
    site.claim("jiro", NEXT)
    with site.store.write() as connection:
        changes.forget(connection, START + MINUTE)
    with pytest.raises(Forgotten):
        site.follower.catch_up()
    site.follower.begin(site.enforcer)
    assert site.enforcer.held == {HOME}


def test_out_of_step_until_it_begins_again(site: Site, put: Put) -> None:
    put(subscriber="taro")
    site.follower.lose()
    assert not site.follower.changed(site.claim("taro", HOME))
    site.follower.catch_up()
    assert site.enforcer.held == set()
    site.follower.begin(site.enforcer)
    assert site.enforcer.held == {HOME}
    assert site.follower.in_step


class Broken(FakeEnforcer):
    def change(self, delta: Any) -> None:
        raise ConnectionError


def test_a_change_that_fails_is_not_taken_for_done(site: Site, put: Put) -> None:
    put(subscriber="taro")
    site.follower.begin(Broken())
    changed = site.claim("taro", HOME)
    with pytest.raises(ConnectionError):
        site.follower.changed(changed)
    assert not site.follower.in_step
    assert site.meters.get(Followed.MEMBERS) == 0


def test_a_burst_is_done_in_batches(site: Site, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 10)
    put(subscriber="taro")
    prefixes = [f"192.0.2.{number}/32" for number in range(64)]
    site.claim("taro", *prefixes)
    before = site.enforcer.requests
    site.follower.catch_up()
    assert site.enforcer.held == set(prefixes)
    assert site.enforcer.requests == before + 7


def test_what_is_amiss_is_counted(site: Site, put: Put) -> None:
    put(subscriber="taro")
    site.follower.changed(site.claim("taro", HOME, SIX))
    assert site.follower.audit(site.enforcer) == 0
    site.enforcer.held ^= {HOME, NEXT}
    assert site.follower.audit(site.enforcer) == 2
    with site.store.write() as connection:
        connection.execute(delete(exemptions))
    assert site.follower.audit(site.enforcer) == 4
    assert site.meters.get(Followed.AMISS) == 6


def test_live_sets_that_were_made_anew(site: Site, put: Put) -> None:
    put(subscriber="taro")
    site.enforcer.epoch += 1
    with pytest.raises(Forgotten):
        site.follower.ask()
    with pytest.raises(Forgotten):
        site.follower.changed(site.claim("taro", HOME))
    site.follower.begin(site.enforcer)
    site.follower.ask()


@pytest.mark.parametrize("begin", [True, False])
def test_no_room_for_some(site: Site, put: Put, begin: bool) -> None:
    """Those who fit get in, and who ends goes out."""
    put(subscriber="taro")
    put(subscriber="jiro")
    site.follower.changed(site.claim("jiro", NEXT))
    site.enforcer.room = 4
    prefixes = [f"198.51.100.{number}/32" for number in range(9)]
    changed = site.claim("taro", *prefixes)
    if begin:
        site.follower.begin(site.enforcer)
    else:
        site.follower.changed(changed)
    assert len(site.enforcer.held) == 4
    assert NEXT in site.enforcer.held
    assert (site.meters.get(Followed.MEMBERS), site.meters.get(Followed.REFUSED)) == (4, 6)
    site.follower.changed(site.release("jiro", NEXT))
    assert NEXT not in site.enforcer.held
    assert site.follower.audit(site.enforcer) > 0
    site.enforcer.room = 100
    site.follower.begin(site.enforcer)
    assert site.enforcer.held == set(prefixes)
    assert (site.meters.get(Followed.MEMBERS), site.meters.get(Followed.REFUSED)) == (9, 0)


@pytest.mark.parametrize("begin", [True, False])
def test_a_prefix_that_is_too_wide_keeps_nobody_out(site: Site, put: Put, begin: bool) -> None:
    put(kind="prefix", subscriber=None, prefix="10.0.0.0/8")
    put(kind="prefix", subscriber=None, prefix="198.51.100.0/24")
    put(subscriber="taro")
    changed = site.claim("taro", HOME)
    if begin:
        site.follower.begin(site.enforcer)
    else:
        site.follower.changed(["10.0.0.0/8", "198.51.100.0/24", *changed])
    assert site.enforcer.held == {HOME, "198.51.100.0/24"}
    assert site.meters.get(Followed.REFUSED) == 1


SUBSCRIBERS = ("taro", "jiro", "hanako")
PREFIXES = (HOME, NEXT, SIX, "2001:db8:0:100::/64", "198.51.100.0/29")
CLEARED = [table for table in reversed(metadata.sorted_tables) if table.name not in ("audit", "changes")]
steps = st.one_of(
    st.tuples(st.just("claim"), st.sampled_from(SUBSCRIBERS), st.sampled_from(PREFIXES), st.integers(-40, 0)),
    st.tuples(st.just("release"), st.sampled_from(SUBSCRIBERS), st.sampled_from(PREFIXES), st.integers(-40, 0)),
    st.tuples(st.just("restart"), st.integers(-40, 0)),
    st.tuples(st.just("grant"), st.sampled_from(SUBSCRIBERS), st.integers(-10, 40), st.integers(1, 60)),
    st.tuples(st.just("grant prefix"), st.sampled_from(PREFIXES), st.booleans(), st.integers(1, 60)),
    st.tuples(st.just("quarantine"), st.sampled_from(SUBSCRIBERS)),
    st.tuples(st.just("wait"), st.integers(1, 30)),
    st.tuples(st.just("catch up")),
)


def test_whatever_happens_it_is_as_a_look_at_everything_says(
    store: Store, put: Put, confine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GAP", 100 * MINUTE)
    monkeypatch.setattr(present_module, "HORIZON", 100 * MINUTE)

    def do(site: Site, step: tuple[Any, ...]) -> tuple[list[str], list[str]]:
        """The prefixes and subscribers that have changed by it."""
        match step:
            case ("claim", who, prefix, minutes):
                at = site.at + minutes * MINUTE
                return list(site.merge(Claim("bng", f"{who}{prefix}", who, (prefix,), at, at))), []
            case ("release", who, prefix, minutes):
                at = site.at + minutes * MINUTE
                return list(site.merge(Release("bng", f"{who}{prefix}", who, (prefix,), at, at))), []
            case ("restart", minutes):
                return list(site.merge(Restart("bng", site.at + minutes * MINUTE))), []
            case ("grant", who, begins, lasts):
                begin = site.at + begins * MINUTE
                put(subscriber=who, from_at=begin, until_at=begin + lasts * MINUTE)
                site.note(("subscriber", who))
                return [], [who]
            case ("grant prefix", prefix, destination, lasts):
                kind = "destination" if destination else "prefix"
                put(kind=kind, subscriber=None, prefix=prefix, from_at=site.at, until_at=site.at + lasts * MINUTE)
                site.note(("prefix", prefix))
                return [prefix], []
            case ("quarantine", who):
                with site.store.write() as connection:
                    freed = connection.execute(delete(quarantine).where(quarantine.c.subscriber == who)).rowcount
                    connection.execute(delete(cases).where(cases.c.subscriber == who))
                if not freed:
                    confine(who)
                site.note(("subscriber", who))
                return [], [who]
            case ("wait", minutes):
                site.follower.catch_up()
                site.at += minutes * MINUTE
        return [], []

    @settings(max_examples=40)
    @given(st.lists(st.tuples(steps, st.sampled_from(["told", "feed", "both", "later"])), max_size=25))
    def agree(story: list[tuple[tuple[Any, ...], str]]) -> None:
        with store.write() as connection:
            for table in CLEARED:
                connection.execute(table.delete())
        site = Site(store)
        site.follower.begin(site.enforcer)
        for step, way in story:
            prefixes, subscribers = do(site, step)
            if way in ("told", "both"):
                assert site.follower.changed(prefixes, subscribers)
            if way in ("feed", "both") or step[0] == "catch up":
                site.follower.catch_up()
                assert site.enforcer.held == site.wanted
        site.follower.catch_up()
        assert site.enforcer.held == site.wanted

    agree()
