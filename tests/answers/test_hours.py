"""When the desk is open: hours, weekends, public holidays, closed days over the new year, other zones (claim N9)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.answers.contacts import contacts
from op25b.answers.hours import is_open, next_opening
from op25b.answers.speech import Language, Speaker
from op25b.policy.model import Provider

WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]


def provider(**hours: Any) -> Provider:
    said = {"days": WEEKDAYS, "opens": "09:00:00", "closes": "17:45:00", "closed": ["12-29/01-03"], **hours}
    text = {
        "name": "example",
        "display": {"ja": "例", "en": "Example"},
        "time_zone": said.pop("time_zone", "Asia/Tokyo"),
        "country": said.pop("country", "JP"),
        "hours": said,
        "contacts": [
            {"kind": "telephone", "address": "050-0000-0300"},
            {"kind": "fax", "address": "050-0000-0309", "taken": "always"},
            {"kind": "mail", "address": "info@mail.example", "taken": "always"},
            {"kind": "web", "address": "https://www.mail.example/", "taken": "always"},
        ],
    }
    return Provider.model_validate(text, strict=False)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2010-12-01T08:59:59+09:00", False),
        ("2010-12-01T09:00:00+09:00", True),
        ("2010-12-01T17:44:59+09:00", True),
        ("2010-12-01T17:45:00+09:00", False),
        ("2010-12-01T00:00:00+00:00", True),  # nine in Tokyo
        ("2010-12-04T12:00:00+09:00", False),  # Saturday
        ("2010-11-23T12:00:00+09:00", False),  # Labour Thanksgiving Day
        ("2019-05-01T12:00:00+09:00", False),  # the holiday of one year only
        ("2010-12-28T12:00:00+09:00", True),
        ("2010-12-29T12:00:00+09:00", False),
        ("2012-01-03T12:00:00+09:00", False),
        ("2012-01-04T12:00:00+09:00", True),
    ],
)
def test_open(at: str, expected: bool) -> None:
    assert is_open(provider(), datetime.fromisoformat(at)) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2010-12-01T08:59:59+09:00", "2010-12-01T09:00:00+09:00"),
        ("2010-12-01T09:00:00+09:00", "2010-12-02T09:00:00+09:00"),
        ("2010-12-03T18:00:00+09:00", "2010-12-06T09:00:00+09:00"),  # over a weekend
        ("2010-12-28T18:00:00+09:00", "2011-01-04T09:00:00+09:00"),  # over the new year
        ("2026-05-01T18:00:00+09:00", "2026-05-07T09:00:00+09:00"),  # over Golden Week
    ],
)
def test_next_opening(at: str, expected: str) -> None:
    assert next_opening(provider(), datetime.fromisoformat(at)) == datetime.fromisoformat(expected)


def test_open_on_holidays_and_single_days() -> None:
    at = datetime.fromisoformat("2010-11-23T12:00:00+09:00")
    assert is_open(provider(holidays="open"), at)
    assert not is_open(provider(holidays="open", closed=["11-23"]), at)


def test_the_country_decides() -> None:
    """Independence Day is none in Japan."""
    at = datetime.fromisoformat("2025-07-04T12:00:00-06:00")
    assert not is_open(provider(country="US", time_zone="America/Denver"), at)
    assert is_open(provider(country="JP", time_zone="America/Denver"), at)


def test_never_open() -> None:
    desk = provider(closed=["01-01/12-31"])
    assert next_opening(desk, datetime.fromisoformat("2010-12-01T12:00:00+09:00")) is None
    assert not is_open(desk, datetime.fromisoformat("2010-12-01T12:00:00+09:00"))


@given(st.integers(0, 23 * 365 * 24 * 60))
def test_at_the_next_opening_it_is_open_and_not_just_before(minutes: int) -> None:
    desk = provider()
    at = datetime(2007, 1, 1, tzinfo=timezone(timedelta(hours=9))) + timedelta(minutes=minutes)
    opening = next_opening(desk, at)
    assert opening is not None
    assert opening > at
    assert is_open(desk, opening)
    if not is_open(desk, at):
        assert not any(is_open(desk, at + (opening - at) * share / 10) for share in range(10))


def test_in_words(speakers: dict[Language, Speaker]) -> None:
    """Claim N9."""
    open_, closed = (datetime.fromisoformat(at) for at in ("2010-12-01T12:00:00+09:00", "2010-12-28T18:00:00+09:00"))
    found = contacts(provider(), open_, speakers["ja"])
    assert [way.taken for way in found.ways] == [
        "営業時間内",
        "24時間受付（ご返答は営業時間内）",
        "24時間受付（ご返答は営業時間内）",
        "24時間受付",
    ]
    assert found.hours == "平日9:00〜17:45（祝日、12月29日から1月3日までを除く）"
    assert found.now == "ただいま営業時間内です（本日17:45まで）。"
    found = contacts(provider(), closed, speakers["en"])
    assert found.now == "The desk is closed now. It opens next on 4 January 2011, 9:00 (JST)."
    assert found.hours == "Weekdays, 9:00 to 17:45 (closed: public holidays, 29 December to 3 January)"
    hrefs = ["tel:05000000300", "", "mailto:info@mail.example", "https://www.mail.example/"]
    assert [way.href for way in found.ways] == hrefs


def test_other_weeks_in_words(speakers: dict[Language, Speaker]) -> None:
    at = datetime.fromisoformat("2010-12-01T12:00:00+09:00")
    every = provider(days=[*WEEKDAYS, "sat", "sun"], holidays="open", closed=[])
    assert contacts(every, at, speakers["en"]).hours == "Every day, 9:00 to 17:45"
    some = provider(days=["mon", "sat"], closed=["12-24"])
    assert contacts(some, at, speakers["ja"]).hours == "月曜、土曜の9:00〜17:45（祝日、12月24日を除く）"


def test_no_hours(speakers: dict[Language, Speaker]) -> None:
    desk = provider().model_copy(update={"hours": None})
    at = datetime.fromisoformat("2010-12-01T12:00:00+09:00")
    assert (is_open(desk, at), next_opening(desk, at)) == (False, None)
    found = contacts(desk, at, speakers["en"])
    assert (found.hours, found.now) == ("", "")
    assert {way.taken for way in found.ways} == {"24 hours a day"}
