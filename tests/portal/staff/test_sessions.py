"""How long somebody is logged in, and as what."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from op25b.portal.staff.roles import Person, Role
from op25b.portal.staff.sessions import IDLE, LONGEST, Sessions
from op25b.store import Store
from op25b.store.audit import By, trail
from op25b.store.tables import staff_sessions
from tests.support.staff import NOW, counted, hire, key

BY = By("hanako", NOW, "")
HANAKO = Person("hanako", frozenset({Role.SUPPORT}))
SHORT = timedelta(seconds=1)


def test_the_store_has_a_hash_of_what_the_browser_has(store: Store, tmp_path: Path) -> None:
    hire(store, key(tmp_path), "hanako", Role.SUPPORT)
    token = Sessions(store, counted).begin(HANAKO, None, BY)
    with store.read() as connection:
        (row,) = connection.execute(select(staff_sessions))
        assert [line.what for line in trail(connection, "hanako")] == ["staff add", "log in"]
    assert token.encode() not in row.hash
    assert bytes.fromhex(token) not in row.hash
    sessions = Sessions(store, counted)
    assert sessions.find(token, NOW) == HANAKO
    for other in ("", "0" * 64, token.upper() if token.upper() != token else token + "0", "\ud800"):
        assert sessions.find(other, NOW) is None


def test_it_ends_after_silence(store: Store, tmp_path: Path) -> None:
    hire(store, key(tmp_path), "hanako", Role.SUPPORT)
    sessions = Sessions(store, counted)
    token = sessions.begin(HANAKO, None, BY)
    later = NOW + IDLE - SHORT
    assert sessions.find(token, later) == HANAKO
    assert sessions.find(token, later + IDLE - SHORT) == HANAKO, "it was seen meanwhile"
    assert sessions.find(token, later + 2 * IDLE) is None


def test_it_ends_after_a_working_day_however_busy(store: Store, tmp_path: Path) -> None:
    hire(store, key(tmp_path), "hanako", Role.SUPPORT)
    sessions = Sessions(store, counted)
    token, at = sessions.begin(HANAKO, None, BY), NOW
    while at < NOW + LONGEST:
        assert sessions.find(token, at) == HANAKO
        at += IDLE / 2
    assert sessions.find(token, at) is None


def test_who_logs_out_is_out_and_nobody_else(store: Store, tmp_path: Path) -> None:
    hire(store, key(tmp_path), "hanako", Role.SUPPORT)
    sessions = Sessions(store, counted)
    one, other = sessions.begin(HANAKO, None, BY), sessions.begin(HANAKO, None, BY)
    sessions.end(one)
    assert (sessions.find(one, NOW), sessions.find(other, NOW)) == (None, HANAKO)


def test_who_came_by_openid_keeps_the_roles_of_the_log_in(store: Store) -> None:
    sessions = Sessions(store, counted)
    token = sessions.begin(HANAKO, "https://id.example u-1", BY)
    assert sessions.find(token, NOW) == HANAKO
    with store.read() as connection:
        (line,) = trail(connection, "hanako")
    assert line.after == {"roles": ["support"], "openid": "https://id.example u-1"}


def test_a_session_of_nobody_is_none(store: Store) -> None:
    sessions = Sessions(store, counted)
    assert sessions.find(sessions.begin(HANAKO, None, BY), NOW) is None, "no such account"


def test_what_is_over_is_forgotten_at_the_next_log_in(store: Store) -> None:
    sessions = Sessions(store, counted)
    sessions.begin(HANAKO, "somebody", BY)
    sessions.begin(HANAKO, "somebody", By("hanako", NOW + IDLE, ""))
    with store.read() as connection:
        assert len(connection.execute(select(staff_sessions)).all()) == 1
