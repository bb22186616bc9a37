"""Reports that come late, twice, or not at all end in the table that those in order end in.

Sequences have nothing to do with each other, so several go through the store together: each keeps its own order of
arrival and its own cuts, and shares each transaction with what the others have just then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from op25b.store import Store
from op25b.store.raw import Raw
from op25b.subscribers.leases import Claim, Fact, Leases, Release, Restart, holders
from tests.subscribers.conftest import START
from tests.subscribers.leases.truth import Truth, in_order

LAST = 30
"""When the last event of each sequence happens, in seconds after START."""
EXPIRE = timedelta(seconds=20)
NOW = START + timedelta(seconds=LAST + 10)
SESSIONS = [("a", "1", "taro"), ("a", "2", "hanako"), ("a", "1", "jiro"), ("b", "1", "taro"), ("b", "2", "jiro")]
PREFIXES = ["10.0.{}.1/32", "10.0.{}.2/32", "2001:db8:{}:100::/56", "2001:db8:{}:200::/56", "2001:db8:{}:200::/64"]
TOGETHER = 40
"""Sequences that share their transactions."""
TABLES = ("newest_claims", "leases", "sessions", "restarts", "lease_lengths", "changes")


@dataclass(frozen=True)
class Names:
    """Sources and prefixes that no other sequence has."""

    number: int

    def prefix(self, place: int) -> str:
        return PREFIXES[place].format(self.number)

    def source(self, name: str) -> str:
        return f"{name}{self.number}"


ORDERLY, MIXED = [Names(each) for each in range(TOGETHER)], [Names(each) for each in range(TOGETHER, 2 * TOGETHER)]
PLACES = {each.prefix(place): place for each in (*ORDERLY, *MIXED) for place in range(len(PREFIXES))}


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
    drawn = draw(st.lists(event, min_size=1, max_size=14))
    for at, (kind, session, prefixes, known, tied) in zip(
        range(LAST - 2 * len(drawn) + 2, LAST + 1, 2), drawn, strict=True
    ):
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


def emptied(store: Store) -> None:
    with store.write() as connection:
        for table in TABLES:
            connection.exec_driver_sql(f"DELETE FROM {table}")


def rows(store: Store) -> list[list[Any]]:
    """All that the store has of each sequence, by its number, without the names that only it has."""
    lease = (
        "SELECT s.source, s.name, s.subscriber, s.started_at, s.seen_at, s.stopped_at, s.expires_at, l.prefix, "
        "l.first_at, l.seen_at, l.started_at, l.dropped_at, n.prefix FROM sessions s LEFT JOIN leases l "
        "ON l.session = s.id LEFT JOIN newest_claims n ON n.session = s.id AND n.prefix = l.prefix"
    )
    with store.read() as connection:
        raw = Raw(connection)
        read = [*raw.rows(lease), *raw.rows("SELECT source, at FROM restarts")]
    found: list[list[Any]] = [[] for _ in (*ORDERLY, *MIXED)]
    for source, *values in read:
        found[int(source[1:])].append((source[0], *(PLACES.get(value, value) for value in values)))
    return [sorted(each, key=repr) for each in found]


def cut(facts: list[Fact], cuts: Random) -> Iterator[list[Fact]]:
    while facts:
        size = cuts.randint(1, len(facts))
        yield facts[:size]
        facts = facts[size:]


def deliver(store: Store, sequences: list[Iterator[list[Fact]]], again: Random) -> dict[str, str]:
    """Parts of all sequences in one transaction; who holds what, as one knows it who only hears of the changes."""
    known: dict[str, str] = {}
    leases = Leases(store, EXPIRE)
    for parts in zip_longest(*sequences, fillvalue=[]):
        if again.random() < 0.3:  # the server begins anew
            leases = Leases(store, EXPIRE)
        changed = leases.merge([fact for part in parts for fact in part], NOW).changed
        with store.read() as connection:
            held = holders(connection, changed, NOW)
        known = {prefix: who for prefix, who in known.items() if prefix not in changed}
        known |= {prefix: each.subscriber for prefix, each in held.items()}
    return known


def disordered(facts: list[Fact], mix: Random) -> list[Fact]:
    """Out of order, some of them twice."""
    facts = facts + [fact for fact in facts if mix.random() < 0.3]
    mix.shuffle(facts)
    return facts


def check(store: Store, drawn: list[list[Event]], mix: Random) -> None:
    emptied(store)
    facts = [facts_of(events, names) for events, names in zip(drawn, ORDERLY, strict=True)]
    deliver(store, [cut(each, mix) for each in facts], mix)
    facts = [facts_of(events, names) for events, names in zip(drawn, MIXED, strict=True)]
    known = deliver(store, [cut(disordered(each, mix), mix) for each in facts], mix)
    found = rows(store)
    with store.read() as connection:
        prefixes = [names.prefix(place) for names in MIXED for place in range(len(PREFIXES))]
        held = {prefix: each.subscriber for prefix, each in holders(connection, prefixes, NOW).items()}
    for number, each in enumerate(facts):
        assert found[TOGETHER + number] == found[number], each
        truth = Truth(EXPIRE)
        for fact in in_order(each):
            truth.hear(fact)
        own = {MIXED[number].prefix(place) for place in range(len(PREFIXES))}
        assert {prefix: held[prefix] for prefix in own & held.keys()} == truth.holders(NOW), each
        assert {prefix: known[prefix] for prefix in own & known.keys()} == truth.holders(NOW), each


@pytest.mark.parametrize(
    "examples", [500, pytest.param(50_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)], id="all")]
)
def test_the_table_is_that_of_the_reports_in_order(store: Store, examples: int) -> None:
    # a failure names one sequence, of 14 events at most; to make all of the others smaller too would take minutes
    phases = [Phase.explicit, Phase.reuse, Phase.generate]

    @settings(max_examples=-(-examples // TOGETHER), phases=phases)
    @given(st.lists(sequences(), min_size=TOGETHER, max_size=TOGETHER), st.integers(0, 2**32))
    def each(drawn: list[list[Event]], seed: int) -> None:
        check(store, drawn, Random(seed))

    each()
