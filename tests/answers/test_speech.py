"""Dates in the language's form, in the provider's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from op25b.answers.speech import Language, Speaker
from op25b.policy.model import Words

APRIL = datetime(2008, 3, 31, 15, tzinfo=UTC)


@pytest.mark.parametrize(("language", "expected"), [("ja", "2008年4月1日（JST）"), ("en", "1 April 2008 (JST)")])
def test_midnight_of_the_provider_is_a_day(
    speakers: dict[Language, Speaker], language: Language, expected: str
) -> None:
    assert speakers[language].start(APRIL) == expected


@pytest.mark.parametrize(
    ("language", "expected"), [("ja", "2008年4月1日09時05分（JST）"), ("en", "1 April 2008, 09:05 (JST)")]
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
    assert "{subdomain}" in speakers["en"](
        "In place of {part} put the sub-domain of your mail address.", part="{subdomain}"
    )
