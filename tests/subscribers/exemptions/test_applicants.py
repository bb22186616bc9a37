"""Customers who ask on the page: a reference for each, and nothing of each other's."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from op25b.errors import UserError
from op25b.store import Store
from op25b.store.audit import By, trail
from op25b.subscribers.exemptions import applicants
from op25b.subscribers.exemptions.applicants import Applicant, Applicants
from op25b.subscribers.exemptions.desk import Desk
from op25b.subscribers.exemptions.request import Asked
from op25b.subscribers.exemptions.transitions import Kind, State, Step
from tests.subscribers.exemptions.conftest import START, policy

ASKED = Asked(Kind.SUBSCRIBER, "taro", None, "own server")
TARO = Applicant("太郎", "taro@netlaputa.example", "ja")
BY = By("self-service", START, "page")
TERMS = policy({"offered": True})


def test_the_reference_tells_where_it_stands(store: Store) -> None:
    page = Applicants(store, os.urandom)
    reference = page.ask(TERMS, ASKED, TARO, BY)
    standing = page.standing(reference, START)
    assert standing is not None
    assert (standing.state, standing.kind, standing.until_at) == (State.REQUESTED, Kind.SUBSCRIBER, None)
    desk = Desk(store, TERMS)
    desk.review(1, BY, lambda _: [])
    desk.approve(1, BY, {})
    standing = page.standing(reference, START)
    assert standing is not None
    assert standing.state is State.GRANTED
    assert standing.until_at is not None
    late = page.standing(reference, standing.until_at + timedelta(seconds=1))
    assert late is not None
    assert late.state is State.ENDED
    assert page.standing(reference[:-1] + "x", START) is None


def test_the_same_again_is_received_and_learns_nothing(store: Store) -> None:
    page = Applicants(store, os.urandom)
    first = page.ask(TERMS, ASKED, TARO, BY)
    second = page.ask(TERMS, ASKED, Applicant("次郎", "jiro@example.com", "en"), BY)
    Desk(store, TERMS).close(1, Step.REFUSE, By("desk", START, "no"))
    assert [page.standing(each, START).state for each in (first, second)] == [State.REFUSED, State.REQUESTED]  # type: ignore[union-attr]
    with store.read() as connection:
        assert [each.name for each in applicants.of(connection, 1)] == ["太郎", "次郎"]
        assert "request again" in [line.what for line in trail(connection, "exemption 1")]


def test_the_reference_is_not_in_the_store(store: Store) -> None:
    reference = Applicants(store, os.urandom).ask(TERMS, ASKED, TARO, BY)
    with store.read() as connection:
        rows = connection.exec_driver_sql("SELECT reference FROM applicants").all()
        assert reference not in repr(rows) + repr(trail(connection))


def test_what_cannot_be_meant_is_refused_whole(store: Store) -> None:
    page = Applicants(store, os.urandom)
    with pytest.raises(UserError, match="reason"):
        page.ask(TERMS, Asked(Kind.SUBSCRIBER, "taro", None, " "), TARO, BY)
    with store.read() as connection:
        assert applicants.of(connection, 1) == []
