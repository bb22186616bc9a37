"""Reports that come late, twice, or not at all end in the table that those in order end in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from op25b.store import Store
from op25b.subscribers.leases import Claim, Fact, Leases, Release, Restart, holders
from tests.subscribers.conftest import START
from tests.subscribers.leases.truth import Truth, in_order

EXPIRE = timedelta(seconds=20)
NOW = START + timedelta(seconds=40)
SESSIONS = [("a", "1", "taro"), ("a", "2", "hanako"), ("a", "1", "jiro"), ("b", "1", "taro"), ("b", "2", "jiro")]
PREFIXES = ["{}.1/32", "{}.2/32", "{}:100::/56", "{}:200::/56", "{}:200::/64"]
_numbers = count()


@dataclass(frozen=True)
class Names:
    """Sources and prefixes that no other sequence has."""

    number: int

    def prefix(self, place: int) -> str:
        high, low = divmod(self.number, 1 << 16)
        if place < 2:
            return PREFIXES[place].format(f"{10 + high}.{low >> 8}.{low & 255}")
        return PREFIXES[place].format(f"2001:{0xDB8 + high:x}:{low:x}")

    def source(self, name: str) -> str:
        return f"{name}{self.number}"


@dataclass(frozen=True)
class Event:
    """What happens at the instant `at`: of a session, or of a source."""

    kind: str
    at: int
    session: int
    prefixes: tuple[int, ...]
    known: bool
    """Whether the report knows when the session began."""


@st.composite
def sequences(draw: st.DrawFn) -> list[Event]:
    kinds = st.sampled_from(["claim", "claim", "claim", "stop", "restart"])
    several = st.lists(st.integers(0, len(PREFIXES) - 1), max_size=3, unique=True).map(tuple)
    event = st.tuples(kinds, st.integers(0, len(SESSIONS) - 1), several, st.booleans(), st.booleans())
    events: list[Event] = []
    for place, (kind, session, prefixes, known, tied) in enumerate(draw(st.lists(event, min_size=1, max_size=14))):
        at = 2 * place + 2
        if events and tied and (before := events[-1]).at == at - 2 and _may_tie(before, kind, session):
            at = before.at
        events.append(Event(kind, at, session, prefixes, known))
    return events


def _may_tie(before: Event, kind: str, session: int) -> bool:
    """Claims of different sessions at one instant have no order."""
    return "restart" in (kind, before.kind) or (kind, before.kind, session) == ("stop", "claim", before.session)


def facts_of(events: list[Event], names: Names) -> list[Fact]:
    begun: dict[int, int] = {}
    facts: list[Fact] = []
    for event in events:
        source, session, subscriber = SESSIONS[event.session]
        source, at = names.source(source), START + timedelta(seconds=event.at)
        if event.kind == "restart":
            facts.append(Restart(source, at))
            continue
        # those that were lost before the first report leave a start between two instants
        begun.setdefault(event.session, event.at - 1 if event.known else event.at)
        started = START + timedelta(seconds=begun[event.session] if event.known else event.at)
        prefixes = tuple(names.prefix(place) for place in event.prefixes)
        if event.kind == "claim":
            facts.append(Claim(source, session, subscriber, prefixes, at, started))
        else:
            facts.append(Release(source, session, subscriber, prefixes, at, started))
    return facts


def rows(store: Store, names: Names) -> list[Any]:
    """All that the store has of a sequence, without the names that only it has."""
    lease = (
        "SELECT s.source, s.name, s.subscriber, s.started_at, s.seen_at, s.stopped_at, s.expires_at, l.prefix, "
        "l.first_at, l.seen_at, l.started_at, l.dropped_at, n.prefix FROM sessions s LEFT JOIN leases l "
        "ON l.session = s.id LEFT JOIN newest_claims n ON n.session = s.id AND n.prefix = l.prefix "
        "WHERE s.source IN (:a, :b)"
    )
    parameters = {name: names.source(name) for name in "ab"}
    places = {names.prefix(place): place for place in range(len(PREFIXES))}
    short = {names.source(name): name for name in "ab"}
    with store.read() as connection:
        found = [tuple(row) for row in connection.execute(text(lease), parameters)]
        restarts = connection.execute(text("SELECT source, at FROM restarts WHERE source IN (:a, :b)"), parameters)
        found += [tuple(row) for row in restarts]
    plain = [tuple(short.get(value, places.get(value, value)) for value in row) for row in found]
    return sorted(plain, key=repr)


def deliver(leases: Leases, facts: list[Fact], cuts: Random) -> set[str]:
    """In batches; the prefixes that were reported as changed."""
    changed: set[str] = set()
    while facts:
        size = cuts.randint(1, len(facts))
        changed ^= set(leases.merge(facts[:size], NOW).changed) - changed
        facts = facts[size:]
    return changed


def check(store: Store, events: list[Event], mix: Random) -> None:
    leases, orderly, mixed = Leases(store, EXPIRE), Names(next(_numbers)), Names(next(_numbers))
    deliver(leases, facts_of(events, orderly), mix)
    shuffled = facts_of(events, mixed)
    shuffled += [fact for fact in shuffled if mix.random() < 0.3]
    mix.shuffle(shuffled)
    changed = deliver(leases, shuffled, mix)
    assert rows(store, mixed) == rows(store, orderly)
    truth = Truth(EXPIRE)
    for fact in in_order(facts_of(events, mixed)):
        truth.hear(fact)
    with store.read() as connection:
        prefixes = [mixed.prefix(place) for place in range(len(PREFIXES))]
        found = {prefix: held.subscriber for prefix, held in holders(connection, prefixes, NOW).items()}
    assert found == truth.holders(NOW)
    assert found.keys() <= changed


@pytest.mark.parametrize("examples", [500, pytest.param(50_000, marks=pytest.mark.long)])
def test_the_table_is_that_of_the_reports_in_order(store: Store, examples: int) -> None:
    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    @given(sequences(), st.integers(0, 2**32))
    def each(events: list[Event], seed: int) -> None:
        check(store, events, Random(seed))

    each()
