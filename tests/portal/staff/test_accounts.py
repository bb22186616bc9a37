"""The staff in both databases, and the trail that every change leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from op25b.errors import UserError
from op25b.portal.staff.accounts import Staff, checked_name, checked_roles
from op25b.portal.staff.roles import Person, Role
from op25b.portal.staff.sessions import Sessions
from op25b.store import Store
from op25b.store.audit import By, trail
from tests.support.staff import NOW, counted, hire, key

ROOT = By("root", NOW, "as asked")


def test_a_change_is_in_the_trail_without_a_secret(store: Store, tmp_path: Path) -> None:
    hire(store, key(tmp_path), "hanako", Role.SUPPORT)
    staff = Staff(store)
    staff.change("hanako", frozenset({Role.ABUSE, Role.MAIL}), ROOT)
    staff.reset("hanako", "other hash", b"other code", ROOT)
    staff.remove("hanako", ROOT)
    assert staff.all() == []
    with store.read() as connection:
        lines = trail(connection, "hanako")
    assert [line.what for line in lines] == ["staff add", "staff change", "staff reset", "staff remove"]
    assert (lines[1].before, lines[1].after) == (
        {"name": "hanako", "roles": ["support"]}, {"name": "hanako", "roles": ["abuse", "mail"]},
    )  # fmt: skip
    assert "hash" not in str(lines)
    assert "argon2" not in str(lines)


def test_nobody_is_there_twice_and_nobody_is_changed_who_is_not_there(store: Store, tmp_path: Path) -> None:
    hire(store, key(tmp_path), "hanako", Role.SUPPORT)
    with pytest.raises(UserError, match="there already"):
        hire(store, key(tmp_path), "hanako", Role.MANAGER)
    for change in (lambda staff: staff.remove("jiro", ROOT), lambda staff: staff.reset("jiro", "", b"", ROOT)):
        with pytest.raises(UserError, match="nobody of the staff is called jiro"):
            change(Staff(store))


def test_each_code_is_taken_once(store: Store, tmp_path: Path) -> None:
    hire(store, key(tmp_path), "hanako", Role.SUPPORT)
    staff = Staff(store)
    assert [staff.take("hanako", step) for step in (7, 7, 6, 8)] == [True, False, False, True]


def test_a_change_ends_the_sessions_of_whom_it_is_about(store: Store, tmp_path: Path) -> None:
    sealing, sessions, staff = key(tmp_path), Sessions(store, counted), Staff(store)
    for name in ("hanako", "jiro"):
        hire(store, sealing, name, Role.SUPPORT)
    person = Person("hanako", frozenset({Role.SUPPORT}))
    for change in (
        lambda: staff.change("hanako", frozenset({Role.MANAGER}), ROOT),
        lambda: staff.reset("hanako", "hash", b"code", ROOT),
        lambda: staff.remove("hanako", ROOT),
    ):
        hers, his = sessions.begin(person, None, ROOT), sessions.begin(replace(person, name="jiro"), None, ROOT)
        change()
        assert sessions.find(hers, NOW) is None
        assert sessions.find(his, NOW) is not None


@pytest.mark.parametrize("roles", [[], ["approver"], ["support", "read"]])
def test_a_persons_roles_are_those_of_persons(roles: list[str]) -> None:
    with pytest.raises(UserError, match="network, mail, support, abuse, manager"):
        checked_roles(roles)


@pytest.mark.parametrize("name", ["", "Hanako", "hanako\n", "花子", "a b"])
def test_a_name_is_one_that_the_policy_can_have(name: str) -> None:
    with pytest.raises(UserError, match="the name"):
        checked_name(name)
