"""What the desk does, and what it is not allowed to: on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from op25b.errors import UserError
from op25b.store import Store, changes
from op25b.store.audit import By, trail
from op25b.store.tables import exemptions
from op25b.subscribers.exemptions import listing, queries
from op25b.subscribers.exemptions.criteria import Criterion, Finding
from op25b.subscribers.exemptions.desk import Conflict, Desk, NotAllowed, sweep
from op25b.subscribers.exemptions.records import Exemption, NotThere
from op25b.subscribers.exemptions.request import Asked
from op25b.subscribers.exemptions.transitions import Kind, State, Step
from tests.subscribers.exemptions.conftest import DAY, START, policy

TARO = Asked(Kind.SUBSCRIBER, "taro", None, "own server")
WIDE = Asked(Kind.PREFIX, "taro", "198.18.1.0/26", "own servers")


@dataclass
class Office:
    """A desk with a clock that stands still between `move`s."""

    store: Store
    terms: dict[str, Any] = field(default_factory=dict)
    now: datetime = START

    @property
    def desk(self) -> Desk:
        return Desk(self.store, policy(self.terms))

    def by(self, who: str = "hanako", why: str = "looked at") -> By:
        return By(who, self.now, why)

    def reviewed(self, asked: Asked = TARO, found: tuple[Finding, ...] = ()) -> int:
        number = self.desk.request(asked, self.by("desk")).id
        self.review(number, *found)
        return number

    def review(self, number: int, *found: Finding) -> Exemption:
        return self.desk.review(number, self.by("desk"), lambda asked: [replace(each, at=self.now) for each in found])

    def granted(self, asked: Asked = TARO) -> int:
        return self.desk.approve(self.reviewed(asked), self.by(), {}).id

    def state(self, number: int) -> State:
        with self.store.read() as connection:
            return listing.one(connection, number, self.now).state

    def live(self) -> list[int]:
        with self.store.read() as connection:
            return [live.id for live in queries.in_force(connection, self.now)]

    def noted(self) -> list[changes.Change]:
        with self.store.read() as connection:
            return [change for _, change in changes.after(connection, 0)]

    def audited(self, number: int) -> list[tuple[str, str]]:
        with self.store.read() as connection:
            return [(each.who, each.what) for each in trail(connection, f"exemption {number}")]


@pytest.fixture
def office(store: Store) -> Office:
    return Office(store)


def failed(criterion: Criterion) -> Finding:
    return Finding(criterion, False, "not so", START)


def test_from_the_request_to_the_end(office: Office) -> None:
    made = office.desk.request(TARO, office.by("desk"))
    assert (made.state, made.version, office.live()) == (State.REQUESTED, 1, [])
    assert office.review(made.id).state is State.UNDER_REVIEW
    assert office.noted() == []
    done = office.desk.approve(made.id, office.by(), {})
    assert (done.state, done.asked.from_at, done.asked.until_at) == (State.GRANTED, START, START + 395 * DAY)
    assert (office.live(), office.noted()) == ([made.id], [("subscriber", "taro")])
    office.now = START + 365 * DAY
    assert (office.state(made.id), office.live()) == (State.EXPIRING, [made.id])
    office.now = START + 395 * DAY
    assert (office.state(made.id), office.live()) == (State.ENDED, [])
    swept = sweep(office.store, office.now)
    assert (swept.expiring, swept.ended) == (0, 1)
    assert office.audited(made.id) == [("desk", "request"), ("desk", "review"), ("hanako", "grant"), ("op25b", "end")]


def test_a_sweep_says_what_time_has_done_and_only_once(office: Office) -> None:
    numbers = [office.granted(replace(TARO, subscriber=f"s{number}")) for number in range(3)]
    office.desk.close(numbers[2], Step.REVOKE, office.by())
    noted = len(office.noted())
    office.now = START + 365 * DAY
    assert sweep(office.store, office.now).expiring == 2
    assert len(office.noted()) == noted
    assert sweep(office.store, office.now).expiring == 0
    office.now = START + 395 * DAY
    assert sweep(office.store, office.now).ended == 2
    assert sweep(office.store, office.now).ended == 0
    assert office.noted()[noted:] == [("subscriber", "s0"), ("subscriber", "s1")]
    assert office.audited(numbers[0])[-2:] == [("op25b", "expire"), ("op25b", "end")]


@pytest.mark.parametrize(
    ("asked", "change"),
    [
        (TARO, ("subscriber", "taro")),
        (WIDE, ("prefix", "198.18.1.0/26")),
        (Asked(Kind.DESTINATION, None, "203.0.113.7", "abuse reports"), ("prefix", "203.0.113.7/32")),
    ],
)
@pytest.mark.parametrize("step", [Step.WITHDRAW, Step.REVOKE])
def test_ending_one_now(office: Office, asked: Asked, change: changes.Change, step: Any) -> None:
    number = office.granted(asked)
    office.now = START + DAY
    done = office.desk.close(number, step, office.by())
    assert (done.asked.until_at, office.live()) == (office.now, [])
    assert office.noted() == [change, change]
    office.now = START
    assert office.live() == [number]


def test_refusing_and_withdrawing_a_request(office: Office) -> None:
    first, second = office.reviewed(), office.reviewed(WIDE)
    assert office.desk.close(first, Step.REFUSE, office.by()).state is State.REFUSED
    assert office.desk.close(second, Step.WITHDRAW, office.by("desk", "")).state is State.WITHDRAWN
    assert office.noted() == []
    with pytest.raises(UserError, match="a reason is missing; say why you refuse it"):
        office.desk.close(office.reviewed(), Step.REFUSE, office.by(why=" "))


def test_the_same_is_not_asked_for_twice(office: Office) -> None:
    number = office.granted()
    with pytest.raises(Conflict, match=f"exemption {number} is for the same"):
        office.desk.request(TARO, office.by())
    office.now = START + 400 * DAY
    assert office.desk.request(TARO, office.by()).id != number


def test_a_failed_criterion_needs_a_reason_that_is_kept(office: Office) -> None:
    office.terms = {"subscriber": {"own_domain": True, "fee": True}}
    number = office.reviewed(TARO, (failed(Criterion.OWN_DOMAIN), failed(Criterion.FEE)))
    for overrides, words in (
        ({}, "fee, own-domain failed"),
        ({"fee": "waived"}, "own-domain failed"),
        ({"fee": " ", "own-domain": "theirs"}, "fee is overridden without a reason"),
        ({"quota": "x", "fee": "x", "own-domain": "x"}, "quota has not failed"),
    ):
        with pytest.raises(UserError, match=words):
            office.desk.approve(number, office.by(), overrides)
        assert office.state(number) is State.UNDER_REVIEW
    office.desk.approve(number, office.by(), {"fee": "waived", "own-domain": "their club's"})
    with office.store.read() as connection:
        last = trail(connection, f"exemption {number}")[-1]
    assert last.after is not None
    assert last.after["approvals"][0]["overrides"] == {"fee": "waived", "own-domain": "their club's"}


def test_what_the_policy_asks_by_now_must_have_been_looked_at(office: Office) -> None:
    number = office.reviewed()
    office.terms = {"subscriber": {"fee": True}}
    with pytest.raises(Conflict, match="asks for fee by now; review it again"):
        office.desk.approve(number, office.by(), {})


def test_only_approvers_decide(office: Office) -> None:
    office.terms = {"approvers": ["hanako", "jiro"]}
    number = office.reviewed()
    desk, clerk = office.desk, office.by("clerk")
    decisions: list[Callable[[], object]] = [
        lambda: desk.approve(number, clerk, {}),
        lambda: desk.close(number, Step.REFUSE, clerk),
    ]
    for decide in decisions:
        with pytest.raises(NotAllowed, match=r"clerk may not .*; hanako, jiro may"):
            decide()
    office.desk.approve(number, office.by(), {})
    with pytest.raises(NotAllowed, match="clerk may not revoke"):
        desk.close(number, Step.REVOKE, clerk)
    with pytest.raises(NotAllowed, match="clerk may not renew"):
        desk.renew(number, clerk, None, None, {})
    assert desk.close(number, Step.WITHDRAW, clerk).state is State.WITHDRAWN


def test_a_wide_one_needs_two_persons(office: Office) -> None:
    office.terms = {"second_person_above": 16}
    number = office.reviewed(WIDE)
    first = office.desk.approve(number, office.by(), {})
    assert (first.state, office.live(), office.noted()) == (State.UNDER_REVIEW, [], [])
    with pytest.raises(NotAllowed, match="hanako has approved already; another person"):
        office.desk.approve(number, office.by(), {})
    done = office.desk.approve(number, office.by("jiro"), {})
    assert (done.state, [each.who for each in done.approvals]) == (State.GRANTED, ["hanako", "jiro"])
    assert office.audited(number)[-2:] == [("hanako", "approve"), ("jiro", "grant")]


def test_a_new_review_makes_approvals_start_anew(office: Office) -> None:
    office.terms = {"second_person_above": 16}
    number = office.reviewed(WIDE)
    office.desk.approve(number, office.by(), {})
    office.review(number)
    assert office.desk.approve(number, office.by("jiro"), {}).state is State.UNDER_REVIEW


def test_a_renewal_follows_a_review(office: Office) -> None:
    office.terms = {"subscriber": {"own_domain": True}}
    met = Finding(Criterion.OWN_DOMAIN, True, "company.example", START)
    number = office.reviewed(TARO, (met,))
    office.desk.approve(number, office.by(), {})
    office.now = START + 370 * DAY
    with pytest.raises(Conflict, match="review it first"):
        office.desk.renew(number, office.by(), None, None, {})
    assert office.review(number, met).state is State.EXPIRING
    done = office.desk.renew(number, office.by(), None, None, {})
    assert (done.state, done.asked.review_at) == (State.GRANTED, START + 730 * DAY)
    assert (done.asked.from_at, done.asked.until_at) == (START, START + 760 * DAY)
    assert office.audited(number)[-3:] == [("op25b", "expire"), ("desk", "review"), ("hanako", "renew")]


def test_a_renewal_of_a_wide_one_needs_two_who_say_the_same(office: Office) -> None:
    office.terms = {"second_person_above": 16}
    number = office.reviewed(WIDE)
    for who in ("hanako", "jiro"):
        office.desk.approve(number, office.by(who), {})
    office.now = START + 370 * DAY
    office.desk.renew(number, office.by(), None, START + 800 * DAY, {})
    other = office.desk.renew(number, office.by("jiro"), None, None, {})
    assert (other.asked.until_at, other.state) == (START + 395 * DAY, State.EXPIRING)
    done = office.desk.renew(number, office.by(), None, None, {})
    assert (done.asked.until_at, done.state) == (START + 760 * DAY, State.GRANTED)
    assert {each.who for each in done.approvals} == {"hanako", "jiro"}


def test_a_renewal_prolongs(office: Office) -> None:
    number = office.granted()
    with pytest.raises(UserError, match="already; name a later end"):
        office.desk.renew(number, office.by(), None, START + 394 * DAY, {})


def test_what_is_over_stays_over(office: Office) -> None:
    number = office.granted()
    office.now = START + 395 * DAY
    for change in (
        lambda: office.desk.renew(number, office.by(), None, None, {}),
        lambda: office.desk.close(number, Step.REVOKE, office.by()),
        lambda: office.review(number),
    ):
        with pytest.raises(Conflict, match=f"exemption {number} is ended"):
            change()


def test_no_longer_than_the_terms_allow(office: Office) -> None:
    office.terms = {"longest_days": 400}
    number = office.reviewed(replace(TARO, until_at=START + 401 * DAY))
    with pytest.raises(Conflict, match="duration failed"):
        office.desk.approve(number, office.by(), {})
    office.desk.approve(number, office.by(), {"duration": "the contract's end"})


def test_an_end_that_came_before_the_grant(office: Office) -> None:
    number = office.reviewed(replace(TARO, until_at=START + DAY))
    office.now = START + 2 * DAY
    with pytest.raises(UserError, match="is past, or before it begins; ask anew"):
        office.desk.approve(number, office.by(), {})


def test_quotas(office: Office) -> None:
    office.terms = {"most": 3, "most_per_subscriber": 1}
    office.granted()
    number = office.reviewed(WIDE)
    with pytest.raises(Conflict, match=r"subscriber-quota failed"):
        office.desk.approve(number, office.by(), {})
    for name in ("jiro", "saburo"):
        office.granted(replace(TARO, subscriber=name))
    number = office.reviewed(replace(TARO, subscriber="shiro"))
    with pytest.raises(Conflict, match=r"quota failed"):
        office.desk.approve(number, office.by(), {})


def test_two_grants_at_once_do_not_both_take_the_last_place(office: Office) -> None:
    office.terms = {"most": 1}
    numbers = [office.reviewed(replace(TARO, subscriber=name)) for name in ("taro", "jiro", "saburo", "shiro")]
    together, refused = threading.Barrier(len(numbers)), []

    def grant(number: int) -> None:
        together.wait()
        try:
            office.desk.approve(number, office.by(), {})
        except Conflict as error:
            refused.append(str(error))

    threads = [threading.Thread(target=grant, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(office.live()) == 1
    assert [text.partition(";")[0] for text in refused] == ["quota failed"] * 3


def test_two_changes_for_the_same_version(office: Office) -> None:
    number = office.reviewed()
    office.desk.approve(number, office.by(), {}, seen=2)
    with pytest.raises(Conflict, match=r"changed meanwhile \(version 3\)"):
        office.desk.close(number, Step.REVOKE, office.by(), seen=2)
    assert office.desk.close(number, Step.REVOKE, office.by(), seen=3).version == 4


def test_one_that_is_not_there(office: Office) -> None:
    with pytest.raises(NotThere, match="there is no exemption 7"):
        office.review(7)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (replace(TARO, subscriber=None), "not said for which subscriber"),
        (replace(TARO, subscriber=""), "the subscriber is empty"),
        (replace(TARO, subscriber="a\nb"), "cannot be printed"),
        (replace(TARO, subscriber="あ" * 85), "more than 253 octets"),
        (replace(TARO, prefix="198.18.1.1/32"), "has no prefix"),
        (replace(TARO, reason=" \n"), "the reason is not a text"),
        (replace(TARO, reason="x" * 2001), "the reason is not a text"),
        (replace(TARO, reason="a\x1b[2J"), "the reason is not a text"),
        (replace(WIDE, prefix=None), "the prefix: .* is not a prefix"),
        (replace(WIDE, prefix="198.18.1.1/24"), "has host bits set; write '198.18.1.0/24'"),
        (replace(WIDE, prefix="198.18.0.0/16"), "too wide"),
        (replace(WIDE, prefix="2001:db8::/32"), "too wide"),
        (replace(WIDE, prefix="203.0.113.0/24"), "in no pool"),
        (replace(WIDE, kind=Kind.DESTINATION, prefix="0.0.0.0/0"), "too wide"),
        (replace(TARO, server="mail.example"), "the server: .* is not an address"),
        (replace(TARO, domain="no domain"), "the domain: .* is not a host name"),
        (replace(TARO, domain="localhost"), "not one that mail is sent for"),
        (replace(TARO, domain="x" * 70 + ".example"), "the domain"),
        (replace(TARO, until_at=START - DAY), "is past"),
        (replace(TARO, from_at=START + 2 * DAY, until_at=START + DAY), "until .* is not after from"),
        (replace(TARO, review_at=START + 2 * DAY, until_at=START + DAY), "until .* is not after review"),
        (replace(TARO, from_at=START + 2 * DAY, review_at=START + DAY), "review .* is not after from"),
    ],
)
def test_a_request_that_cannot_be_meant(office: Office, asked: Asked, words: str) -> None:
    with pytest.raises(UserError, match=words):
        office.desk.request(asked, office.by())
    with office.store.read() as connection:
        assert connection.execute(select(exemptions)).all() == []


def test_a_request_is_stored_in_its_canonical_form(office: Office) -> None:
    asked = Asked(
        Kind.PREFIX, None, "2001:DB8:1:0::/56", " x ", domain="メール.Example", server="2001:db8:1:0::0025"
    )  # fmt: skip
    made = office.desk.request(asked, office.by()).asked
    assert (made.prefix, made.reason, made.server) == ("2001:db8:1::/56", "x", "2001:db8:1::25")
    assert made.domain == "xn--4dkua4c.example"


def test_no_exemptions_are_offered(office: Office) -> None:
    office.terms = {"offered": False}
    with pytest.raises(UserError, match="offers no exemptions"):
        office.desk.request(TARO, office.by())


def test_lists_and_counts(office: Office) -> None:
    granted = office.granted(replace(TARO, until_at=START + 60 * DAY))
    waiting = office.reviewed(replace(TARO, subscriber="jiro"))
    refused = office.reviewed(WIDE)
    office.desk.close(refused, Step.REFUSE, office.by())
    for days, state in ((0, State.GRANTED), (30, State.EXPIRING), (60, State.ENDED)):
        with office.store.read() as connection:
            at = START + days * DAY
            assert [each.id for each in listing.listed(connection, at, [state])] == [granted]
            assert [each.state for each in listing.listed(connection, at)] == [state, State.UNDER_REVIEW, State.REFUSED]
            assert listing.counts(connection, at) == {
                "subscriber": {"asked": 2, "granted": 1, "refused": 0, "in_force": int(days < 60)},
                "prefix": {"asked": 1, "granted": 0, "refused": 1, "in_force": 0},
                "destination": {"asked": 0, "granted": 0, "refused": 0, "in_force": 0},
            }
    with office.store.read() as connection:
        of_jiro = listing.listed(connection, START, subscriber="jiro")
        assert [each.id for each in of_jiro] == [waiting]
        assert [each.id for each in listing.listed(connection, START, kinds=[Kind.PREFIX])] == [refused]
        assert [each.id for each in listing.listed(connection, START, after=granted, limit=1)] == [waiting]
