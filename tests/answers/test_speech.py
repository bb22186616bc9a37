"""Dates in the language's form, in the provider's zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from op25b.answers.speech import Language, Speaker
from op25b.policy.model import Words

APRIL = datetime(2008, 3, 31, 15, tzinfo=UTC)


@pytest.mark.parametrize(("language", "expected"), [("ja", "2008年4月1日"), ("en", "1 April 2008")])
def test_midnight_of_the_provider_is_a_day(
    speakers: dict[Language, Speaker], language: Language, expected: str
) -> None:
    assert speakers[language].start(APRIL) == expected


@pytest.mark.parametrize(
    ("language", "expected"), [("ja", "2008年4月1日 9:05（JST）"), ("en", "1 April 2008, 9:05 (JST)")]
)
def test_any_other_instant_has_its_time(speakers: dict[Language, Speaker], language: Language, expected: str) -> None:
    at = datetime(2008, 4, 1, 0, 5, tzinfo=UTC)
    assert speakers[language].start(at) == speakers[language].instant(at) == expected


def test_twelve_months(speakers: dict[Language, Speaker]) -> None:
    days = [date(2010, month, 26) for month in range(1, 13)]
    assert [speakers["ja"].day(day) for day in days] == [f"2010年{month}月26日" for month in range(1, 13)]
    assert [speakers["en"].day(day) for day in days] == [f"{day:%d %B %Y}" for day in days]


def test_words_of_the_policy(speakers: dict[Language, Speaker]) -> None:
    words = Words(ja="ネットラピュタ", en="Netlaputa")
    assert (speakers["ja"].pick(words), speakers["en"].pick(words)) == ("ネットラピュタ", "Netlaputa")


def test_a_value_with_braces_is_left_alone(speakers: dict[Language, Speaker]) -> None:
    assert speakers["en"]("Outage, since {start}", start="{subdomain}") == "Outage, since {subdomain}"


@pytest.mark.parametrize(
    ("last", "ja", "en"),
    [
        (timedelta(hours=2), "2008年4月1日 0:00から2:00まで（JST）", "1 April 2008, 0:00 to 2:00 (JST)"),
        (
            timedelta(hours=26),
            "2008年4月1日 0:00から2008年4月2日 2:00まで（JST）",
            "1 April 2008, 0:00 to 2 April 2008, 2:00 (JST)",
        ),
    ],
)
def test_a_span_says_once_what_is_the_same(
    speakers: dict[Language, Speaker], last: timedelta, ja: str, en: str
) -> None:
    assert speakers["ja"].span(APRIL, APRIL + last) == ja
    assert speakers["en"].span(APRIL, APRIL + last) == en


def test_a_span_in_which_the_clocks_change(speakers: dict[Language, Speaker]) -> None:
    there = replace(speakers["en"], zone=ZoneInfo("Europe/Berlin"))
    said = there.span(datetime(2010, 3, 28, 0, tzinfo=UTC), datetime(2010, 3, 28, 2, tzinfo=UTC))
    assert said == "28 March 2010, 1:00 (CET) to 28 March 2010, 4:00 (CEST)"


def test_a_customers_own_part_of_a_host_is_in_words(speakers: dict[Language, Speaker]) -> None:
    assert speakers["ja"].host("mail.{subdomain}.isp.example") == "mail.(お客さまのサブドメイン).isp.example"
    assert speakers["en"].host("mail.{subdomain}.isp.example") == "mail.(your sub-domain).isp.example"
    assert speakers["en"].host("mail.isp.example") == "mail.isp.example"
