"""What the five providers' notices say, in both languages: golden texts, and what each must hold (N2, N3, N10, I2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from op25b.answers.speech import LANGUAGES, Language, Speaker
from op25b.rollout.recipients import Person
from op25b.rollout.texts import sub_domain
from tests.rollout.conftest import example, texts

GOLDEN = Path(__file__).parents[1] / "golden" / "notices"
NOTICES = {
    "netlaputa": ("netlaputa", "flets-lines", "2006-06-01T00:00:00+09:00"),
    "fitweb-premium": ("fitweb", "hikari-premium", "2006-06-01T00:00:00+09:00"),
    "fitweb-flets": ("fitweb", "flets-series", "2006-06-01T00:00:00+09:00"),
    "nmtnet-tentative": ("nmtnet", "all-dynamic", "2010-10-26T00:00:00+09:00"),
    "nmtnet-date": ("nmtnet-fixed", "all-dynamic", "2010-12-01T00:00:00+09:00"),
    "nmtnet-reminder": ("nmtnet-fixed", "all-dynamic", "2010-12-20T00:00:00+09:00"),
    "sonet": ("sonet", "flets-lines", "2006-06-01T00:00:00+09:00"),
    "infonia-date": ("infonia", "everyone-but-corporate", "2008-01-20T00:00:00+09:00"),
    "infonia-in-force": ("infonia", "everyone-but-corporate", "2008-04-01T00:00:00+09:00"),
}


def person(language: Language, email: str = "taro@friends.example") -> Person:
    return Person("n1", email, (language,), "", "", (), "")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NOTICES)
def test_golden(name: str, language: Language, speakers: dict[Language, Speaker]) -> None:
    made = texts(*NOTICES[name], speakers).mail(person(language))
    expected = (GOLDEN / f"{name}.{language}.txt").read_text()
    assert f"Subject: {made.subject}\n\n{made.plain}" == expected


@pytest.mark.parametrize(
    ("name", "language", "words"),
    [
        ("nmtnet-tentative", "ja", ["2011年1月中旬以降", "あらためてお知らせします", "2010年10月26日から"]),
        ("nmtnet-tentative", "en", ["mid-January 2011", "another notice", "26 October 2010 and 31 December"]),
        ("nmtnet-tentative", "ja", ["対象となるお客さま", "送信できなくなります", "動的IPアドレス", "port587"]),
        ("nmtnet-tentative", "ja", ["電話：050-0000-0300", "ファクス：050-0000-0309", "メール：info@nmtnet.example"]),
        ("nmtnet-tentative", "ja", ["9:00〜17:45", "制限の開始前にも開始後にもお使いいただけます"]),
        ("nmtnet-date", "ja", ["実施日が2011年1月20日"]),
        ("nmtnet-date", "en", ["The date is fixed: the restriction begins on 20 January 2011"]),
        ("infonia-date", "ja", ["2008年4月1日", "2008年3月31日までの", "制限の解除", "送信できなくなります"]),
        ("infonia-date", "en", ["From 1 April 2008", "can no longer send mail", "lift the restriction"]),
    ],
)  # fmt: skip
def test_what_a_notice_must_hold(
    name: str, language: Language, words: list[str], speakers: dict[Language, Speaker]
) -> None:
    made = texts(*NOTICES[name], speakers).mail(person(language))
    plain = " ".join(made.plain.split())
    for each in words:
        assert each in plain
        assert each in made.html


@pytest.mark.parametrize("name", NOTICES)
def test_a_fixed_date_is_not_called_tentative(name: str, speakers: dict[Language, Speaker]) -> None:
    plain = texts(*NOTICES[name], speakers).mail(person("en")).plain
    assert ("tentative" in plain) == (name == "nmtnet-tentative")


def test_the_server_of_a_sub_domain_is_filled_in(speakers: dict[Language, Speaker]) -> None:
    policy = example("sonet")
    domain = policy.provider.brands[0].domains[0]
    assert sub_domain(policy, f"taro@aa2.{domain}") == "aa2"
    assert sub_domain(policy, f"taro@a.aa2.{domain}") is None
    assert sub_domain(policy, f"taro@{domain}") is None
    assert sub_domain(policy, "taro@elsewhere.example") is None
    made = texts(*NOTICES["sonet"], speakers)
    assert "サブドメイン)" not in made.mail(person("ja", f"taro@aa2.{domain}")).plain
    assert "mail.(お客さまのサブドメイン)." in made.mail(person("ja")).plain


def test_both_languages_for_who_said_none(speakers: dict[Language, Speaker]) -> None:
    made = texts(*NOTICES["nmtnet-date"], speakers)
    both = made.mail(Person("n1", "a@b.example", LANGUAGES, "", "", (), ""))
    assert both.language == "ja, en"
    for language in LANGUAGES:
        single = made.mail(person(language))
        assert single.plain in both.plain
        assert single.subject in both.subject
