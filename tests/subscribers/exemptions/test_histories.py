"""Whatever people do in whatever order: the audit trail walks the table, and what is in force follows from it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from op25b.errors import UserError
from op25b.store import Store, changes, upgrade
from op25b.store.audit import By, Entry, trail
from op25b.subscribers.exemptions import criteria, listing, queries
from op25b.subscribers.exemptions.desk import Desk, sweep
from op25b.subscribers.exemptions.request import Asked
from op25b.subscribers.exemptions.transitions import LIVE, TRANSITIONS, Kind, State, Step
from tests.subscribers.exemptions.conftest import DAY, START, policy

TERMS = {
    "review_days": 20, "notice_days": 5, "longest_days": 60, "most": 3, "second_person_above": 16,
    "approvers": ["hanako", "jiro"], "prefix": {"own_domain": True},
}  # fmt: skip
PEOPLE = st.sampled_from(["hanako", "jiro", "clerk"])
PREFIXES = st.sampled_from([None, "198.18.1.0/28", "198.18.2.0/26", "2001:db8:1::/56"])


class Histories(RuleBasedStateMachine):
    """The desk's steps at random, under a clock that goes on at random."""

    numbers = Bundle("numbers")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        url = f"sqlite:///{self.folder.name}/op25b.db"
        upgrade(url)
        self.store, self.now = Store(url), START
        self.desk = Desk(self.store, policy(TERMS))

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def tried(self, number: int, step: Step, change: Callable[[], object]) -> None:
        """A change that is refused changes nothing; one that is not was in the row of the state before it."""
        before, lines = self.state(number), len(self.history(number))
        try:
            change()
        except UserError:
            assert len(self.history(number)) == lines
            return
        assert step in TRANSITIONS[before]

    def state(self, number: int) -> State:
        with self.store.read() as connection:
            return listing.one(connection, number, self.now).state

    def history(self, number: int) -> list[Entry]:
        with self.store.read() as connection:
            return trail(connection, f"exemption {number}")

    def by(self, who: str) -> By:
        return By(who, self.now, "because")

    @rule(target=numbers, name=st.sampled_from("abc"), prefix=PREFIXES, domain=st.sampled_from([None, "a.example"]))
    def request(self, name: str, prefix: str | None, domain: str | None) -> Any:
        kind = Kind.SUBSCRIBER if prefix is None else Kind.PREFIX
        asked = Asked(kind, name, prefix, "own server", domain=domain)
        try:
            return self.desk.request(asked, self.by("clerk")).id
        except UserError:
            return multiple()

    @rule(number=numbers)
    def review(self, number: int) -> None:
        # nothing that is looked at here needs a name service
        def look(asked: Asked) -> Any:
            return criteria.of_request(policy(TERMS), asked, [], criteria.Reverse(), self.now)

        self.tried(number, Step.REVIEW, lambda: self.desk.review(number, self.by("clerk"), look))

    @rule(number=numbers, who=PEOPLE, overrides=st.sampled_from([{}, {"own-domain": "a club's"}]))
    def approve(self, number: int, who: str, overrides: dict[str, str]) -> None:
        self.tried(number, Step.GRANT, lambda: self.desk.approve(number, self.by(who), overrides))

    @rule(number=numbers, who=PEOPLE, days=st.none() | st.integers(1, 80))
    def renew(self, number: int, who: str, days: int | None) -> None:
        until = None if days is None else self.now + days * DAY
        self.tried(number, Step.RENEW, lambda: self.desk.renew(number, self.by(who), None, until, {}))

    @rule(number=numbers, who=PEOPLE, step=st.sampled_from([Step.REFUSE, Step.WITHDRAW, Step.REVOKE]))
    def close(self, number: int, who: str, step: Any) -> None:
        self.tried(number, step, lambda: self.desk.close(number, step, self.by(who)))

    @rule(target=numbers, name=st.sampled_from("abcde"), prefix=PREFIXES, people=st.integers(0, 2))
    def granted(self, name: str, prefix: str | None, people: int) -> Any:
        """The usual way: without it, few ever come so far."""
        number = self.request(name, prefix, "a.example")
        if isinstance(number, int):
            self.review(number)
            for who in ("hanako", "jiro")[:people]:
                self.approve(number, who, {})
        return number

    @rule(number=numbers)
    def renewed(self, number: int) -> None:
        """The usual way, too."""
        self.review(number)
        for who in ("hanako", "jiro"):
            self.renew(number, who, None)

    @rule(hours=st.integers(1, 200))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def swept(self) -> None:
        sweep(self.store, self.now)
        again = sweep(self.store, self.now)
        assert (again.expiring, again.ended) == (0, 0)

    @invariant()
    def what_is_in_force_is_what_the_states_say(self) -> None:
        with self.store.read() as connection:
            all_ = listing.listed(connection, self.now)
            live = queries.in_force(connection, self.now)
        assert {each.id for each in live} == {each.id for each in all_ if each.state in LIVE}
        assert len(live) <= 3
        for each in all_:
            if each.state in LIVE:
                assert each.asked.review_at is not None
                assert each.asked.until_at is not None
                people = {approval.who for approval in each.approvals if not approval.pending}
                assert people <= {"hanako", "jiro"}
                assert len(people) == (2 if each.asked.prefix in ("198.18.2.0/26", "2001:db8:1::/56") else 1)

    @invariant()
    def the_trail_walks_the_table(self) -> None:
        with self.store.read() as connection:
            numbers = [each.id for each in listing.listed(connection, self.now)]
        for number in numbers:
            first, *rest = self.history(number)
            assert (first.what, first.before) == ("request", None)
            for before, line in pairwise([first, *rest]):
                assert before.after is not None
                assert line.after is not None
                assert line.before == before.after
                assert line.after["version"] == before.after["version"] + 1
                assert TRANSITIONS[State(before.after["state"])][Step(line.what)] == line.after["state"]

    @invariant()
    def whoever_follows_the_feed_knows_what_is_in_force(self) -> None:
        """Whatever began or ended since the last look was noted, or was to begin or end by itself."""
        with self.store.read() as connection:
            live = {each.id: each for each in queries.in_force(connection, self.now)}
            noted = {subject for _, (_, subject) in changes.after(connection, 0)}
        assert {each.prefix or each.subscriber for each in live.values()} <= noted


Histories.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestHistories = Histories.TestCase
