"""Credentials at once: who gets them, who is kept off, and what nobody can learn."""

from __future__ import annotations

import asyncio

from op25b.store.audit import trail
from op25b.subscribers.accounts import New
from op25b.subscribers.credentials.acceptances import Notice
from op25b.subscribers.credentials.issuing import Issued
from op25b.subscribers.credentials.tries import FAILURE_SECONDS, Refused
from tests.subscribers.credentials.conftest import ELSEWHERE, MOST, VISITOR, Counter

TARO = "taro@imart.example"


def issue(
    counter: Counter, password: str = "pop-himitsu", address: str = TARO, visitor: object = VISITOR
) -> Issued | Refused:
    return asyncio.run(counter.applications.issue("imart", address, password, visitor))  # type: ignore[arg-type]


def issued(counter: Counter) -> Issued:
    found = issue(counter)
    assert isinstance(found, Issued)
    return found


def test_the_pop_password_gives_an_account_that_sends_as_the_address(counter: Counter) -> None:
    made = issued(counter)
    assert made.user_name.startswith("imart-")
    assert not made.renewed
    assert counter.opens(made.user_name, made.password)
    assert not counter.opens(made.user_name, "pop-himitsu")
    assert counter.account(made.user_name).senders == {TARO}
    assert made.password not in repr(made)


def test_once_more_gives_a_new_password_to_the_same_account(counter: Counter) -> None:
    first, second = issued(counter), issued(counter)
    assert (second.user_name, second.renewed) == (first.user_name, True)
    assert counter.opens(second.user_name, second.password)
    assert not counter.opens(second.user_name, first.password)


def test_it_is_audited_and_no_secret_is_anywhere(counter: Counter) -> None:
    made = issued(counter)
    issued(counter)
    with counter.house.store.read() as connection:
        lines = trail(connection, made.user_name)
    assert [(line.who, line.what) for line in lines] == [("self-service", "add"), ("self-service", "reissue")]
    assert "page of imart" in lines[0].why
    assert str(VISITOR) in lines[0].why
    said = repr(lines) + repr(counter.logged)
    assert "pop-himitsu" not in said
    assert made.password not in said


def test_a_wrong_password_and_no_such_mailbox_are_one_answer_after_the_same_time(counter: Counter) -> None:
    assert issue(counter, "wrong") is issue(counter, "wrong", "nobody@imart.example") is Refused.WRONG
    assert counter.slept == [FAILURE_SECONDS, FAILURE_SECONDS]


def test_too_many_failures_are_told_to_wait_whether_there_is_an_account_or_not(counter: Counter) -> None:
    for address in (TARO, "nobody@imart.example"):
        answers = [issue(counter, f"guess {number}", address) for number in range(4)]
        assert answers == [Refused.WRONG] * 3 + [Refused.WAIT]
    assert issue(counter) is Refused.WAIT
    assert isinstance(issue(counter, visitor=ELSEWHERE), Issued)
    counter.house.clock.move(901)
    assert isinstance(issue(counter), Issued)


def test_the_same_wrong_password_again_is_not_asked_again(counter: Counter) -> None:
    assert [issue(counter, "old one") for _ in range(9)] == [Refused.WRONG] * 9
    assert counter.mailboxes.asked == 1


def test_a_list_of_names_from_one_place_ends(counter: Counter) -> None:
    answers = [issue(counter, "123456", f"u{number}@imart.example") for number in range(10)]
    assert answers == [Refused.WRONG] * 8 + [Refused.WAIT] * 2


def test_a_burst_of_guesses_is_counted_one_by_one(counter: Counter) -> None:
    async def burst() -> list[Issued | Refused]:
        tries = (counter.applications.issue("imart", TARO, f"guess {number}", VISITOR) for number in range(20))
        return await asyncio.gather(*tries)

    assert asyncio.run(burst()).count(Refused.WRONG) == 3
    assert counter.mailboxes.asked == 3


def test_so_many_new_passwords_a_day(counter: Counter) -> None:
    assert all(isinstance(issue(counter), Issued) for _ in range(MOST))
    assert issue(counter) is Refused.ENOUGH


def test_a_pop_server_that_is_away_is_no_failure_of_the_customers(counter: Counter) -> None:
    counter.mailboxes.away = True
    assert [issue(counter, f"password {number}") for number in range(5)] == [Refused.AWAY] * 5
    counter.mailboxes.away = False
    assert isinstance(issue(counter), Issued)


def test_a_suspended_account_stays_as_it_is(counter: Counter) -> None:
    made = issued(counter)
    counter.house.accounts.suspend(made.user_name, counter.house.by("sent spam"))
    assert issue(counter) is Refused.SUSPENDED
    assert counter.opens(made.user_name, made.password)


def test_an_account_that_sends_for_others_too_is_not_taken_over(counter: Counter) -> None:
    secret = counter.house.hasher.make("of the company")
    company = New("company", secret, frozenset({TARO, "info@imart.example"}))
    counter.house.accounts.add([company], counter.house.by())
    assert issued(counter).user_name != "company"
    assert counter.opens("company", "of the company")


def test_the_local_part_of_another_brand_is_somebody_else(counter: Counter) -> None:
    counter.house.accounts.add(
        [New("taro", counter.house.hasher.make("x"), frozenset({"taro@infonia.example"}))], counter.house.by()
    )
    assert issued(counter).user_name != "taro"
    assert counter.opens("taro", "x")


def test_back_to_the_initial_password(counter: Counter) -> None:
    made = issued(counter)
    name = made.user_name
    counter.acceptances.add([Notice(name, "AB-1234567", "shokai-1")], counter.house.by())

    def reset(number: str, address: str = TARO) -> str | Refused:
        return asyncio.run(counter.applications.reset("imart", address, number, VISITOR))

    assert reset("AB-1234568") is reset("AB-1234567", "nobody@imart.example") is Refused.WRONG
    assert counter.slept == [FAILURE_SECONDS, FAILURE_SECONDS]
    assert counter.opens(name, made.password)
    assert reset("ａｂ１２３ ４５６７") == name  # as it may be typed
    assert counter.opens(name, "shokai-1")
    assert counter.account(name).secret.keys is not None
    with counter.house.store.read() as connection:
        said = repr(trail(connection)) + repr(counter.logged)
    assert "shokai-1" not in said
    assert "1234567" not in said
