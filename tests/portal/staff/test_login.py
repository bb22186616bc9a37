"""Log-ins: all three must be right, and nothing tells which of them was not."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from op25b.portal.staff.login import LIMITS, Logins
from op25b.portal.staff.roles import Person, Role
from op25b.store import Store
from op25b.subscribers.lockout import Lockout
from op25b.subscribers.passwords import Hasher
from tests.support.staff import CHEAP, NOW, PASSWORD, Hired, counted, hasher, hire, key

HERE, THERE = ip_address("192.0.2.1"), ip_address("2001:db8::1")
HANAKO = Person("hanako", frozenset({Role.SUPPORT}))


class Desk:
    """Logins with a clock that a test moves."""

    def __init__(self, store: Store, folder: Path, hashing: Hasher) -> None:
        self.now: datetime = NOW
        self.hanako: Hired = hire(store, key(folder), "hanako", Role.SUPPORT)
        self.logins = Logins(
            store, key(folder), hashing, Lockout(LIMITS), lambda: self.now.timestamp(), lambda: self.now, counted
        )

    def tries(self, name: str = "hanako", password: str = PASSWORD, code: str | None = None, at: Any = HERE) -> Any:
        return self.logins.check(name, password, self.hanako.code(self.now) if code is None else code, at)

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    return Desk(store, tmp_path, hasher())


def test_all_three_right(desk: Desk) -> None:
    assert desk.tries() == HANAKO
    desk.later(seconds=30)
    assert desk.tries(name=" Hanako ") == HANAKO


@pytest.mark.parametrize(
    "wrong",
    [{"name": "jiro"}, {"name": ""}, {"password": "wrong"}, {"password": ""}, {"code": "000000"}, {"code": ""},
     {"name": "hanako\0"}, {"password": PASSWORD + " "}],
)  # fmt: skip
def test_one_of_them_wrong(desk: Desk, wrong: dict[str, str]) -> None:
    assert desk.tries(**wrong) is None


def test_a_code_is_good_once(desk: Desk) -> None:
    assert desk.tries() == HANAKO
    assert desk.tries() is None, "overheard, or read over a shoulder"
    desk.later(seconds=30)
    assert desk.tries() == HANAKO


def test_who_guesses_is_locked_out_there_and_not_elsewhere(desk: Desk) -> None:
    for number in range(LIMITS.pair):
        assert desk.tries(password=f"guess {number}") is None
    assert desk.tries() is None, "the right one comes too late"
    assert desk.tries(at=THERE) == HANAKO
    desk.later(seconds=LIMITS.window_seconds + 1)
    assert desk.tries() == HANAKO


def test_who_tries_many_names_is_locked_out_for_all(desk: Desk) -> None:
    for number in range(LIMITS.block):
        desk.tries(name=f"name{number}", password="guess")
    assert desk.tries() is None
    assert desk.tries(at=THERE) == HANAKO


def test_the_same_work_for_every_name(store: Store, tmp_path: Path) -> None:
    """One hash and one code are checked whether there is such a name or not, and whatever is wrong."""

    class Counting(Hasher):
        checked = 0

        def check(self, stored: str, password: str) -> bool:
            self.checked += 1
            return super().check(stored, password)

    counting = Counting(counted, CHEAP, scram_iterations=None)
    desk = Desk(store, tmp_path, counting)
    for number, wrong in enumerate(({"name": "jiro"}, {"password": "wrong"}, {"code": "000000"}), 1):
        desk.tries(**wrong)
        assert counting.checked == number


def test_without_the_key_no_code_is_right(store: Store, tmp_path: Path) -> None:
    desk = Desk(store, tmp_path, hasher())
    (tmp_path / "other").mkdir()
    other = key(tmp_path / "other")
    logins = Logins(store, other, hasher(), Lockout(LIMITS), desk.now.timestamp, lambda: desk.now, counted)
    assert logins.check("hanako", PASSWORD, desk.hanako.code(desk.now), HERE) is None
