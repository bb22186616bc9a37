"""What the store knows of notices, in both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from op25b.rollout.gates import waits_for
from op25b.rollout.recipients import Person
from op25b.rollout.records import Records
from op25b.store import Store, upgrade
from op25b.store.audit import By, trail
from op25b.store.once import Register, State
from tests.rollout.conftest import example

NOW = datetime(2010, 11, 1, tzinfo=UTC)
BY = By("manager", NOW, "as agreed")
PHASE, STAGE = "all-dynamic", "tentative"


def person(number: int, email: str = "", fax: str = "") -> Person:
    return Person(f"n{number}", email, ("ja",), "", "", (), fax)


PEOPLE = [person(1, "a@b.example"), person(2, "c@b.example"), person(3), person(4, fax="088-655-0000")]


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    upgrade(url)
    made = Store(url)
    yield made
    made.close()


def test_each_is_planned_once_and_keeps_the_key(store: Store) -> None:
    records = Records(store)
    first = records.plan(PHASE, STAGE, PEOPLE, BY)
    assert [mail.person.id for mail in first] == ["n1", "n2"]
    records.taken(first[0].id, NOW)
    corrected = [replace(PEOPLE[1], email="d@b.example"), person(3, "e@b.example"), *PEOPLE[:1]]
    again = records.plan(PHASE, STAGE, corrected, BY)
    assert [(mail.person.id, mail.person.email) for mail in again] == [("n2", "d@b.example"), ("n3", "e@b.example")]
    assert again[0].key == first[1].key
    assert records.plan(PHASE, "date@x", PEOPLE[:1], BY)[0].key != first[0].key
    with store.read() as connection:
        assert [entry.what for entry in trail(connection, f"phase/{PHASE}")] == ["notice begun"] * 3


def test_what_a_relay_has_seen_is_not_sent_again(store: Store) -> None:
    records = Records(store)
    mails = records.plan(PHASE, STAGE, PEOPLE, BY)
    assert not records.seen(mails[0].key)
    Register(store).admit([(mails[0].key, "q1")], NOW)
    assert records.seen(mails[0].key)
    assert [mail.person.id for mail in records.plan(PHASE, STAGE, PEOPLE, BY)] == ["n2"]
    assert records.tallies(PHASE)[STAGE].taken == 1


def test_who_is_to_be_reached_on_paper(store: Store) -> None:
    records, register = Records(store), Register(store)
    people = [*PEOPLE, *(person(number, f"p{number}@b.example") for number in range(5, 9))]
    mails = {mail.person.id: mail for mail in records.plan(PHASE, STAGE, people, BY)}
    records.refused(mails["n1"].id, "550 5.1.1 nobody")
    for name, state in {"n5": State.DELIVERED, "n6": State.FAILED, "n7": State.DOUBT, "n8": State.HANDING}.items():
        register.admit([(mails[name].key, name)], NOW)
        register.put(mails[name].key, state, "what was said", NOW)
    assert records.to_print(PHASE, STAGE) == {
        "n1": "the sending server refused the address: 550 5.1.1 nobody",
        "n3": "no mail address; letter",
        "n4": "no mail address; fax",
        "n6": "the mail came back: what was said",
        "n7": "the mail may not have arrived: what was said",
    }
    tally = records.tallies(PHASE)[STAGE]
    assert vars(tally) == {
        "people": 8, "mail": 6, "taken": 4, "waiting": 1, "delivered": 1, "bounced": 1, "in_doubt": 1, "refused": 1,
        "to_print": 5, "printed": 0,
    }  # fmt: skip
    (phase,) = [each for each in example("nmtnet").phases if each.name == PHASE]
    assert [str(each) for each in waits_for(phase, {STAGE: tally}, NOW)] == [
        "its date: write from, and take out tentative",
        "the notice tentative: 1 mails that are not sent",
        "the notice tentative: 1 mails on their way",
        "the notice tentative: 5 people whom mail does not reach",
    ]
    records.printed(PHASE, STAGE, ["n3", "n6"], BY)
    assert list(records.to_print(PHASE, STAGE)) == ["n1", "n4", "n7"]
    assert records.tallies(PHASE)[STAGE].printed == 2
    assert [told.outcome for name in ("n1", "n2", "n3", "n4", "n5") for told in records.told(name)] == [
        "refused", "to-send", "printed", "to-print", "delivered",
    ]  # fmt: skip


def test_a_bounce_counts_once_and_for_notices_only(store: Store) -> None:
    records = Records(store)
    mail = records.plan(PHASE, STAGE, PEOPLE, BY)[0]
    Register(store).admit([(mail.key, "q1")], NOW)
    Register(store).put(mail.key, State.DELIVERED, "250 ok", NOW)
    assert records.bounced(mail.key, "5.1.1 nobody", NOW)
    assert not records.bounced(mail.key, "5.1.1 nobody", NOW)
    assert not records.bounced("op25b-once.other", "5.1.1 nobody", NOW)
    assert records.told("n1")[0].outcome == "bounced"


def test_many(store: Store) -> None:
    records = Records(store)
    people = [person(number, f"p{number}@b.example") for number in range(1201)]
    assert len(records.plan(PHASE, STAGE, people, BY)) == 1201
    assert len(records.plan(PHASE, STAGE, people, BY)) == 1201
