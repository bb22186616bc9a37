"""Cases open and close by themselves, one for each subscriber, with what they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.policy.watching import SenderKind
from op25b.store import Store, changes, upgrade
from op25b.store.audit import By, trail
from op25b.store.micros import instant
from op25b.subscribers.leases import Period
from op25b.watch import cases, watcher
from op25b.watch.activity import activities
from op25b.watch.cases import Case
from op25b.watch.states import TRANSITIONS, State, Step, after
from op25b.watch.tally import Tally
from op25b.watch.watcher import Watcher
from tests.support.attempts import DAY, SECOND, Attempt, bot, home_server, mail_program, records

MINUTES = 5


def policy(**watch: Any) -> Policy:
    provider = {"name": "p", "display": {"ja": "p", "en": "p"}, "time_zone": "Asia/Tokyo"}
    return Policy.model_validate({"provider": provider, "watch": watch})


@dataclass
class World:
    """A watcher that looks every few minutes, and who held which address from when on, in seconds since DAY."""

    store: Store
    policy: Policy
    leases: dict[str, list[tuple[float, str | None]]] = field(default_factory=dict)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.tally = Tally()
        self.restart()

    def restart(self) -> None:
        self.watcher = Watcher(self.store, self.policy, self.holders)

    def holders(self, _: Connection, asked: Sequence[tuple[str, datetime]]) -> list[Period | None]:
        return [self._holder(prefix, at) for prefix, at in asked]

    def _holder(self, prefix: str, at: datetime) -> Period | None:
        seconds = (at - instant(DAY)).total_seconds()
        known = [(since, name) for since, name in self.leases.get(prefix, ()) if since <= seconds]
        since, name = max(known, default=(0, None))
        began = instant(DAY) + timedelta(seconds=since)
        return name and Period(prefix, name, "bng", "session", began, began, None)

    def until(self, hours: float, attempts: Iterable[Attempt] = ()) -> None:
        """Let time pass, with what is done in it."""
        waiting = sorted(attempts, key=lambda each: each.at)
        while self.at < hours * 3600:
            since, self.at = self.at, self.at + MINUTES * 60
            now = [each for each in waiting if since <= each.at < self.at]
            self.look(now, since)

    def look(self, now: Sequence[Attempt], since: float) -> None:
        if now:
            self.tally.add(records(now))
        end = DAY + round(self.at * SECOND)
        begin = instant(DAY + round(since * SECOND))
        self.watcher.take_in(activities(self.tally.take(), {}, end)[0], begin, instant(end))
        self.watcher.write(instant(end))

    def cases(self, closed: bool = True) -> list[Case]:
        with self.store.read() as connection:
            return cases.listed(connection, closed)

    def audit(self) -> list[tuple[str, str]]:
        with self.store.read() as connection:
            return [(entry.subject, entry.what) for entry in trail(connection)]


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()


def test_each_sender_has_one_case_of_his_kind_and_nobody_else_has_one(store: Store) -> None:
    world = World(store, policy())
    world.leases = {f"198.18.0.{number}/32": [(0, f"user{number}")] for number in range(1, 9)}
    attempts = [*bot("198.18.0.1", 1), *mail_program("198.18.0.2", (1, 3)), *home_server("198.18.0.3", 9, 5)]
    attempts += [*bot("2001:db8:1::9", 2), Attempt(4000, "198.18.0.4", "203.0.113.9", 5)]
    world.until(6, attempts)
    assert {case.who: case.kind for case in world.cases()} == {
        "user1": SenderKind.BOT,
        "user2": SenderKind.MAIL_PROGRAM,
        "user3": SenderKind.HOME_SERVER,
        "2001:db8:1::/64": SenderKind.BOT,
    }
    (found,) = (case for case in world.cases() if case.who == "user1")
    assert (found.prefix, found.attempts, found.targets, found.state) == ("198.18.0.1/32", 200, 200, State.OPEN)
    assert found.evidence["rule"] == "bot: fast"
    assert found.evidence["lease"] == {
        "subscriber": "user1", "prefix": "198.18.0.1/32", "source": "bng", "session": "session",
        "since": instant(DAY).isoformat(),
    }  # fmt: skip
    assert len(found.evidence["targets"]) == watcher.SHOWN


def test_a_case_closes_after_quiet_time_and_the_next_one_begins_anew(store: Store) -> None:
    world = World(store, policy(quiet_hours=3))
    world.until(4.5, [*bot("198.18.0.1", 1, seconds=3600)])
    (first,) = world.cases()
    assert first.state is State.CLOSED
    assert timedelta(hours=3) <= first.closed_at - first.last_at <= timedelta(hours=3, minutes=2 * MINUTES)
    world.until(6, [Attempt(5 * 3600 + each.at, each.source, each.target, each.from_port) for each in
                    bot("198.18.0.1", 7, targets=12)])  # fmt: skip
    _, second = world.cases()
    assert (second.state, second.attempts) == (State.OPEN, 12)
    assert world.audit() == [("case 1", "open"), ("case 1", "kind"), ("case 1", "close"), ("case 2", "open")]


def test_a_case_follows_the_subscriber_to_another_address(store: Store) -> None:
    world = World(store, policy())
    world.leases = {"198.18.0.1/32": [(0, "ann"), (3600, "bob")], "198.18.0.2/32": [(3600, "ann")]}
    moved = [Attempt(3900 + each.at, "198.18.0.2", each.target, each.from_port) for each in bot("", 2)]
    world.until(2, [*bot("198.18.0.1", 1), *moved])
    (case,) = world.cases()
    assert (case.who, case.attempts, case.evidence["lease"]["prefix"]) == ("ann", 400, "198.18.0.2/32")


def test_an_address_that_changed_hands_meanwhile_blames_nobody(store: Store) -> None:
    world = World(store, policy())
    world.leases = {"198.18.0.1/32": [(0, "ann"), (200, "bob")]}
    world.until(0.05, bot("198.18.0.1", 1, seconds=250))
    assert world.cases() == []
    world.until(0.5, [Attempt(400 + each.at, each.source, each.target) for each in bot("198.18.0.1", 3)])
    assert [case.who for case in world.cases()] == ["bob"]


def test_after_a_restart_it_goes_on_with_what_is_stored(store: Store) -> None:
    world = World(store, policy())
    early, late = list(bot("198.18.0.1", 1)), list(bot("198.18.0.1", 2))
    world.until(0.5, early)
    world.restart()
    world.until(1, [Attempt(2400 + each.at, each.source, each.target, each.from_port) for each in late])
    (case,) = world.cases()
    assert case.attempts == 400
    assert case.first_at == instant(DAY)
    assert abs(case.targets - 400) < 60


def test_notice_and_quarantine_are_the_policys_and_rest_on_stored_evidence(store: Store) -> None:
    world = World(store, policy(notice=["bot"], quarantine=["bot"], quarantine_after_hours=1))
    world.leases = {"198.18.0.1/32": [(0, "ann")], "198.18.0.2/32": [(0, "bob")]}
    stops = bot("198.18.0.2", 4)
    world.until(1, [*bot("198.18.0.1", 1, 600, 7000), *stops])
    with store.read() as connection:
        assert cases.quarantined(connection) == []
        assert {case.who: (case.state, case.notice) for case in cases.listed(connection)} == {
            "ann": (State.NOTICED, "watch/bot"),
            "bob": (State.NOTICED, "watch/bot"),
        }
    world.until(3, bot("198.18.0.1", 9, 600, 9000))
    ann, bob = sorted(world.cases(), key=lambda each: each.who)
    assert (ann.state, bob.state) == (State.QUARANTINED, State.NOTICED)
    assert ann.last_at >= ann.noticed_at + timedelta(hours=1)
    with store.read() as connection:
        assert [(name, case) for name, case, _ in cases.quarantined(connection)] == [("ann", ann.id)]
        assert [change for _, change in changes.after(connection, 0)] == [("subscriber", "ann")]
    with store.write() as connection:
        cases.step(connection, cases.find(connection, ann.id), Step.RELEASE, By("op", instant(DAY), "cleaned"))
    world.until(4, bot("198.18.0.1", 11, 600, 12000))
    with store.read() as connection:
        assert cases.find(connection, ann.id).state is State.RELEASED
        assert cases.quarantined(connection) == []
        assert len(changes.after(connection, 0)) == 2


def test_by_default_nothing_is_done(store: Store) -> None:
    world = World(store, policy())
    world.leases = {"198.18.0.1/32": [(0, "ann")]}
    world.until(8, bot("198.18.0.1", 1, 3000, 8 * 3600))
    assert [case.state for case in world.cases()] == [State.OPEN]


def test_a_case_that_an_operator_closed_stays_closed_and_counting_begins_anew(store: Store) -> None:
    world = World(store, policy())
    world.until(1, bot("198.18.0.1", 1))
    with store.write() as connection:
        cases.step(connection, cases.find(connection, 1), Step.CLOSE, By("op", instant(DAY), ""))
    shifted = [Attempt(3600 + each.at, each.source, each.target) for each in bot("198.18.0.1", 2, 40, 1000)]
    world.until(2, shifted)
    first, second = world.cases()
    assert (first.state, first.attempts) == (State.CLOSED, 200)
    assert second.attempts < 40


def test_two_routers_have_one_case_between_them(store: Store) -> None:
    one, two = World(store, policy()), World(store, policy())
    for world in (one, two):
        world.leases = {"198.18.0.1/32": [(0, "ann")]}
    two.at = one.at = 300
    one.watcher.take_in(_done(one, bot("198.18.0.1", 1)), instant(DAY), instant(DAY + 300 * SECOND))
    two.watcher.take_in(_done(two, bot("198.18.0.1", 2)), instant(DAY), instant(DAY + 300 * SECOND))
    for world in (one, two):
        world.watcher.write(instant(DAY + 600 * SECOND))
    assert [case.who for case in one.cases()] == ["ann"]


def test_a_store_out_of_reach_loses_nothing(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/op25b.db"
    upgrade(url)
    world = World(Store(url), policy())
    hidden = tmp_path / "gone"
    done, at = _done(world, bot("198.18.0.1", 1)), instant(DAY + 700 * SECOND)
    world.store.close()
    (tmp_path / "op25b.db").rename(hidden)
    with pytest.raises(UserError):
        world.watcher.take_in(done, instant(DAY), at)
    hidden.rename(tmp_path / "op25b.db")
    world.watcher.take_in(done, instant(DAY), at)
    world.watcher.write(at)
    assert [case.attempts for case in world.cases()] == [200]


def test_memory_is_bounded_for_a_million_sources(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "SUBJECTS", 100)
    world = World(store, policy(open_attempts=3))
    flood = [Attempt(1, f"198.18.{number >> 8}.{number & 255}", "203.0.113.9", 1) for number in range(300)]
    busy = [Attempt(2, "198.18.200.1", f"203.0.113.{number}", number) for number in range(9)]
    world.until(0.1, [*flood, *busy])
    assert world.watcher.report.forgotten == 201
    assert [case.who for case in world.cases()] == ["198.18.200.1/32"]


def test_closed_cases_are_kept_for_so_long(store: Store) -> None:
    world = World(store, policy(quiet_hours=1))
    world.until(2, bot("198.18.0.1", 1))
    with store.write() as connection:
        assert cases.forget(connection, instant(DAY)) == 0
        assert cases.forget(connection, instant(DAY) + timedelta(hours=3)) == 1
        connection.execute(text("SELECT 1"))
    assert world.cases() == []


def test_the_table_of_states_leaves_no_way_out_of_closed_and_all_lead_there() -> None:
    assert set(TRANSITIONS) == set(State)
    assert TRANSITIONS[State.CLOSED] == {}
    assert all(after(state, Step.CLOSE) is State.CLOSED for state in State if state is not State.CLOSED)


def _done(world: World, attempts: Iterable[Attempt]) -> Any:
    world.tally.add(records(list(attempts)))
    return activities(world.tally.take(), {}, DAY)[0]
