"""Bulletins in the store, and the command for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from op25b.cli.main import app
from op25b.errors import UserError
from op25b.policy.table import Words
from op25b.rollout import bulletins
from op25b.rollout.bulletins import Draft, Kind
from op25b.store import Store, upgrade
from op25b.store.audit import By, trail
from tests.support.databases import postgresql, url

__all__ = ["postgresql", "url"]

NOW = datetime(2010, 12, 1, 3, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DESK = By("hanako", NOW, "called by the data centre")


def draft(kind: Kind, start: datetime, end: datetime | None, text: str = "down") -> Draft:
    return Draft(kind, Words(ja="停止しています。", en=text), start, end)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()


def shown(store: Store, at: datetime) -> list[str]:
    with store.read() as connection:
        return [each.text.en for each in bulletins.current(connection, at)]


def test_what_is_on_and_what_is_to_come(store: Store) -> None:
    with store.write() as connection:
        for each in (
            draft(Kind.MAINTENANCE, NOW - HOUR, NOW + HOUR, "maintenance"),
            draft(Kind.OUTAGE, NOW, None, "outage"),
            draft(Kind.MAINTENANCE, NOW + 13 * DAY, NOW + 13 * DAY + HOUR, "soon"),
            draft(Kind.MAINTENANCE, NOW + 15 * DAY, None, "late"),
            draft(Kind.OUTAGE, NOW - 2 * HOUR, NOW, "over"),
        ):
            bulletins.add(connection, each, DESK)
    assert shown(store, NOW) == ["outage", "maintenance", "soon"]
    assert shown(store, NOW + HOUR) == ["outage", "soon"]
    with store.read() as connection:
        assert [each.id for each in bulletins.listed(connection)] == [1, 2, 3, 4, 5]
        assert [each.id for each in bulletins.listed(connection, NOW)] == [1, 2, 3, 4]
        assert [each.holds(NOW) for each in bulletins.listed(connection)] == [True, True, False, False, False]


def test_an_end_is_audited_and_takes_it_from_the_pages(store: Store) -> None:
    with store.write() as connection:
        made = bulletins.add(connection, draft(Kind.OUTAGE, NOW, None), DESK)
        bulletins.end(connection, made.id, NOW + HOUR, DESK)
    assert (shown(store, NOW), shown(store, NOW + HOUR)) == (["down"], [])
    with store.read() as connection:
        lines = trail(connection, "bulletin 1")
    assert [(each.what, each.who, each.why) for each in lines] == [
        (what, DESK.who, DESK.why) for what in ("add", "end")
    ]
    assert lines[1].before is not None
    assert (lines[1].before["until"], lines[1].after and lines[1].after["until"]) == (None, (NOW + HOUR).isoformat())


def test_what_had_not_begun_is_taken_back(store: Store) -> None:
    with store.write() as connection:
        bulletins.add(connection, draft(Kind.MAINTENANCE, NOW + DAY, NOW + 2 * DAY), DESK)
        bulletins.end(connection, 1, NOW, DESK)
    assert shown(store, NOW) == shown(store, NOW + DAY) == []


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (draft(Kind.OUTAGE, NOW, NOW), "ends before it begins"),
        (draft(Kind.OUTAGE, NOW, None, " "), "the text in en"),
        (draft(Kind.OUTAGE, NOW, None, "x" * 2001), "the text in en"),
        (draft(Kind.OUTAGE, NOW, None, "a\x1bb"), "the text in en"),
    ],
)
def test_refused(store: Store, given: Draft, word: str) -> None:
    with pytest.raises(UserError, match=word), store.write() as connection:
        bulletins.add(connection, given, DESK)


def test_there_is_nothing_to_end(store: Store) -> None:
    with store.write() as connection:
        bulletins.add(connection, draft(Kind.OUTAGE, NOW - DAY, NOW), DESK)
    for number, word in ((1, "ended at"), (9, "there is no bulletin 9")):
        with pytest.raises(UserError, match=word), store.write() as connection:
            bulletins.end(connection, number, NOW, DESK)


def test_the_command(tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path}/store.db"
    upgrade(place)

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["bulletin", *words, "--store", place], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert "bulletin 1 is added" in run(
        "add", "outage", "--ja", "送信できません。", "--en", "No mail.", "--by", "hanako"
    )
    (listed,) = json.loads(run("list", "--json"))
    assert (listed["kind"], listed["en"], listed["until"]) == ("outage", "No mail.", None)
    assert "bulletin 1 is over at" in run("end", "1", "--why", "repaired")
    assert json.loads(run("list", "--json")) == []
    assert len(json.loads(run("list", "--all", "--json"))) == 1
