"""A lost password by post: the fee by the date, the desk's steps, and that the password is in the letter alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from op25b.errors import UserError
from op25b.policy.credentials import Reissue as Terms
from op25b.policy.period import Period
from op25b.policy.table import Words
from op25b.store.audit import trail
from op25b.subscribers.credentials import reissues
from op25b.subscribers.credentials.issuing import Issued
from op25b.subscribers.credentials.reissues import Conflict, NotThere, Reissue, Reissues, State, Wanted
from tests.subscribers.credentials.conftest import Counter

JAPAN = ZoneInfo("Asia/Tokyo")
FEE = Words(ja="525円", en="525 yen")
WANTED = Wanted("imart", "taro@imart.example", "山田太郎", "C-100", "福岡市1-1", "ja")


def test_free_from_24_march_to_the_end_of_april() -> None:
    free = Period.model_validate(
        {"from": datetime(2008, 3, 24, tzinfo=JAPAN), "until": datetime(2008, 5, 1, tzinfo=JAPAN)}
    )
    terms = Terms(fee=FEE, free=free)
    last = datetime(2008, 4, 30, 23, 59, 59, tzinfo=JAPAN)
    assert reissues.fee_due(terms, datetime(2008, 3, 23, 23, 59, tzinfo=JAPAN)) == FEE
    assert reissues.fee_due(terms, datetime(2008, 3, 24, tzinfo=JAPAN)) is None
    assert reissues.fee_due(terms, last) is None
    assert reissues.fee_due(terms, last + timedelta(seconds=1)) == FEE
    assert reissues.fee_due(Terms(fee=FEE), last) == FEE


@pytest.fixture
def queue(counter: Counter) -> Reissues:
    return Reissues(counter.house.store)


def printing(counter: Counter, queue: Reissues, number: int) -> tuple[Issued, Reissue]:
    printed: list[Issued] = []
    after = queue.print(number, counter.issuing, lambda _, issued: printed.append(issued), counter.house.by())
    return printed[0], after


def test_a_printer_that_fails_leaves_the_password_as_it_was(counter: Counter, queue: Reissues) -> None:
    before = counter.issuing.issue("imart", WANTED.address, counter.house.by())
    queue.request(WANTED, None, "198.19.64.7/32", counter.house.by())
    (asked,) = queue.listed()

    def jam(*_: object) -> None:
        raise UserError("letter.pdf is there already")

    with pytest.raises(UserError, match="already"):
        queue.print(asked.id, counter.issuing, jam, counter.house.by())
    assert counter.opens(before.user_name, before.password)
    assert queue.one(asked.id).state is State.REQUESTED


def test_from_the_request_to_the_post(counter: Counter, queue: Reissues) -> None:
    by = counter.house.by
    queue.request(WANTED, FEE, "198.19.64.7/32", by())
    (asked,) = queue.listed()
    assert (asked.wanted, asked.fee, asked.state) == (WANTED, FEE, State.REQUESTED)
    issued, printed = printing(counter, queue, asked.id)
    assert printed.state is State.PRINTED
    assert counter.opens(issued.user_name, issued.password)
    assert queue.sent(asked.id, by()).state is State.SENT
    assert queue.listed() == []
    with counter.house.store.read() as connection:
        lines = trail(connection)
    assert [line.what for line in lines if line.subject == reissues.subject(asked.id)] == ["request", "printed", "sent"]
    assert issued.password not in repr(lines)
    assert "山田太郎" not in repr(lines)
    assert "福岡" not in repr(lines)


def test_a_letter_that_is_printed_again_makes_the_earlier_one_worthless(counter: Counter, queue: Reissues) -> None:
    queue.request(WANTED, None, "198.19.64.7/32", counter.house.by())
    (asked,) = queue.listed()
    assert asked.fee is None
    first, _ = printing(counter, queue, asked.id)
    second, _ = printing(counter, queue, asked.id)
    assert counter.opens(first.user_name, second.password)
    assert not counter.opens(first.user_name, first.password)


def test_the_same_again_is_one_request(counter: Counter, queue: Reissues) -> None:
    for _ in range(3):
        queue.request(WANTED, None, "198.19.64.7/32", counter.house.by())
    queue.request(replace(WANTED, postal="東京都1-2"), None, "203.0.113.9/32", counter.house.by())
    assert len(queue.listed()) == 2


def test_steps_that_lead_nowhere(counter: Counter, queue: Reissues) -> None:
    by = counter.house.by
    queue.request(WANTED, None, "198.19.64.7/32", by())
    (asked,) = queue.listed()
    with pytest.raises(Conflict, match="is requested; only one that is printed becomes sent"):
        queue.sent(asked.id, by())
    with pytest.raises(UserError, match="reason is missing"):
        queue.refuse(asked.id, by(""))
    queue.refuse(asked.id, by("no such contract"))
    with pytest.raises(Conflict, match="is refused"):
        printing(counter, queue, asked.id)
    with pytest.raises(NotThere):
        queue.one(4711)


def test_nothing_is_printed_for_a_suspended_account(counter: Counter, queue: Reissues) -> None:
    issued = counter.issuing.issue("imart", WANTED.address, counter.house.by())
    counter.house.accounts.suspend(issued.user_name, counter.house.by("sent spam"))
    queue.request(WANTED, None, "198.19.64.7/32", counter.house.by())
    (asked,) = queue.listed()
    with pytest.raises(UserError, match="suspended"):
        printing(counter, queue, asked.id)
    assert queue.one(asked.id).state is State.REQUESTED


def test_names_and_postal_addresses_are_forgotten(counter: Counter, queue: Reissues) -> None:
    queue.request(WANTED, None, "198.19.64.7/32", counter.house.by())
    queue.request(replace(WANTED, contract="C-101"), None, "198.19.64.7/32", counter.house.by())
    first, second = queue.listed()
    queue.refuse(first.id, counter.house.by("twice"))
    reissues.forget_old(counter.house.store, counter.house.clock.wall() + timedelta(seconds=1))
    assert [each.id for each in queue.listed(tuple(State))] == [second.id]
