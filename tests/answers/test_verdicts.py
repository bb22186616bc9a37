"""Every reason and every remedy in words, in both languages, with what the claims ask for."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.answers.speech import Language, Speaker
from op25b.answers.verdicts import text
from op25b.policy.information import Information, Name
from op25b.policy.load import load
from op25b.policy.model import Policy
from op25b.policy.reasons import Reason, Remedy
from op25b.policy.verdict import Flow, Judge, Verdict
from tests.support.policies import cases

JAPAN = timezone(timedelta(hours=9))
AT = datetime(2010, 11, 1, 12, tzinfo=JAPAN)
FOREIGN = "203.0.113.9"
POLICY = """
home_servers = "smart-host"
[provider]
name = "example"
display = { ja = "例ネット", en = "Example Net" }
time_zone = "Asia/Tokyo"
contacts = [
  { kind = "telephone", address = "050-0000-0001" }, { kind = "fax", address = "050-0000-0002" },
  { kind = "mail", address = "help@example.net" }, { kind = "web", address = "https://example.net/help" },
]
[exemption_terms]
offered = true
fee = { ja = "月額500円", en = "500 yen a month" }
contact = "exempt@example.net"
[[own_servers]]
name = "mail"
hosts = ["mail.{subdomain}.example.net"]
addresses = ["192.0.2.10", "2001:db8:0:10::25"]
ports = [25, 587, 465]
[[own_servers]]
name = "closed"
hosts = ["closed.example.net"]
addresses = ["192.0.2.11"]
ports = [465]
submission_since = 2011-03-01
"""
POOLS = {
    "covered": "198.18.0.0/24", "monitored": "198.18.1.0/24", "announced": "198.18.2.0/24",
    "tentative": "198.18.3.0/24", "not-yet": "198.18.4.0/24", "ended": "198.18.5.0/24",
    "contract": "198.18.6.0/24", "line": "198.18.7.0/24", "region": "198.18.8.0/24", "static": "198.18.9.0/24",
    "since": "198.18.10.0/24", "tentative-expected": "198.18.11.0/24", "not-yet-monitored": "198.18.12.0/24",
}  # fmt: skip
PHASES = {
    "covered": 'mode = "enforce"',
    "since": 'mode = "enforce"\nfrom = 2010-04-01T00:00:00+09:00',
    "monitored": 'mode = "monitor"',
    "announced": 'mode = "announce"\n'
    "settings_period = { from = 2010-10-26T00:00:00+09:00, until = 2011-01-01T00:00:00+09:00 }",
    "tentative": 'mode = "enforce"\ntentative = true',
    "tentative-expected": 'mode = "enforce"\ntentative = true\nexpected = { ja = "1月中旬", en = "mid-January" }',
    "not-yet": 'mode = "enforce"\nfrom = 2011-04-01T00:00:00+09:00',
    "not-yet-monitored": 'mode = "monitor"\nfrom = 2011-04-01T00:00:00+09:00',
    "ended": 'mode = "enforce"\nuntil = 2010-04-01T00:00:00+09:00',
}


def make_policy() -> Policy:
    """A policy with a pool for each reason."""
    said = dict.fromkeys(POOLS, 'contract = "plain"\nline = "fiber"\nregion = "tokyo"\nassignment = "dynamic"')
    said["contract"] = 'contract = "corporate"\nline = "fiber"\nregion = "tokyo"\nassignment = "dynamic"'
    said["line"] = 'contract = "plain"\nline = "dial-up"\nregion = "tokyo"\nassignment = "dynamic"'
    said["region"] = 'contract = "plain"\nline = "fiber"\nregion = "toyama"\nassignment = "dynamic"'
    said["static"] = 'contract = "plain"\nline = "fiber"\nregion = "tokyo"\nassignment = "static"'
    written = [POLICY]
    for name, prefix in POOLS.items():
        written.append(f'[[pools]]\nname = "{name}"\nprefixes = ["{prefix}"]\n{said[name]}')
    rest = 'contracts = ["plain"], lines = ["fiber"], regions = ["tokyo"], assignments = ["dynamic"]'
    others = ", ".join(f'"{name}"' for name in ("line", "region", "static", "contract"))
    for name, what in PHASES.items():
        pools = f'pools = ["{name}", {others}]' if name == "covered" else f'pools = ["{name}"]'
        written.append(f'[[phases]]\nname = "{name}"\nscope = {{ {pools}, {rest} }}\n{what}')
    for name, what in {
        "source": 'prefixes = ["198.18.0.8/29"]\nuntil = 2010-12-01T00:00:00+09:00',
        "destination": 'destinations = ["203.0.113.80/32"]',
        "pair": 'prefixes = ["198.18.0.16/29"]\ndestinations = ["203.0.113.81/32"]',
    }.items():
        written.append(f'[[exemptions]]\nname = "{name}"\nreason = "asked for"\n{what}')
    loaded = load("\n".join(written))
    assert loaded.policy is not None, loaded.errors
    return loaded.policy


POLICY_OF_ALL = make_policy()
JUDGE = Judge(POLICY_OF_ALL)
CASES: list[tuple[str, str, int, Reason, list[str], list[str]]] = [
    # source, destination, port, reason, and what the Japanese and the English must say
    ("198.18.0.1", FOREIGN, 80, Reason.NOT_PORT_25, ["ポート80を制限していません"], ["does not restrict port 80"]),
    ("198.18.0.1", FOREIGN, 587, Reason.NOT_PORT_25, ["ポート587", "管理者"], ["message submission", "administrator"]),
    (FOREIGN, "198.18.0.1", 25, Reason.INBOUND, ["外部から"], ["comes in from outside"]),
    (
        "198.18.0.1",
        "192.0.2.10",
        25,
        Reason.OWN_SERVER,
        ["例ネットのサーバーです"],
        ["one of Example Net's own", "covered line"],
    ),
    ("192.0.2.10", FOREIGN, 25, Reason.OWN_SERVER, ["192.0.2.10は例ネットのメールサーバー"], ["192.0.2.10 is one of"]),
    (
        FOREIGN,
        "192.0.2.10",
        25,
        Reason.NOT_A_CUSTOMER,
        ["その回線のプロバイダー", "587"],
        ["provider of that line", "587"],
    ),
    (
        "198.18.7.1",
        FOREIGN,
        25,
        Reason.LINE_NOT_COVERED,
        ["回線（dial-up）", "影響はありません"],
        ["line of 198.18.7.1 (dial-up)"],
    ),
    ("198.18.8.1", FOREIGN, 25, Reason.REGION_NOT_COVERED, ["地域（toyama）"], ["region (toyama)"]),
    ("198.18.9.1", FOREIGN, 25, Reason.STATIC_ADDRESS, ["固定IPアドレス"], ["static address"]),
    ("198.18.6.1", FOREIGN, 25, Reason.CONTRACT_NOT_COVERED, ["ご契約"], ["contract"]),
    (
        "198.18.0.9",
        FOREIGN,
        25,
        Reason.EXEMPT,
        ["198.18.0.9は", "2010年12月1日 0:00（JST）まで"],
        ["until 1 December 2010, 0:00 (JST)"],
    ),
    ("198.18.0.1", "203.0.113.80", 25, Reason.EXEMPT, ["203.0.113.80は特例"], ["203.0.113.80 is exempt"]),
    (
        "198.18.0.17",
        "203.0.113.81",
        25,
        Reason.EXEMPT,
        ["198.18.0.17から203.0.113.81"],
        ["when it sends to 203.0.113.81"],
    ),
    (
        "198.18.0.1",
        FOREIGN,
        25,
        Reason.COVERED,
        ["両方の条件", "送信できません"],
        ["both conditions hold", "cannot be sent"],
    ),
    (
        "198.18.0.1",
        "192.0.2.11",
        25,
        Reason.COVERED,
        ["例ネットの送信サーバーのポート25も", "2011年3月1日から"],
        ["own sending server", "465", "from 1 March 2011"],
    ),
    ("198.18.10.1", FOREIGN, 25, Reason.COVERED, ["2010年4月1日から"], ["Since 1 April 2010"]),
    ("198.18.1.1", FOREIGN, 25, Reason.MONITORED, ["今もポート25で送信できます"], ["still works"]),
    (
        "198.18.2.1",
        FOREIGN,
        25,
        Reason.ANNOUNCED,
        ["2010年10月26日から2010年12月31日まで"],
        ["between 26 October 2010 and 31 December 2010"],
    ),
    ("198.18.3.1", FOREIGN, 25, Reason.ANNOUNCED, ["まだ決まっていません"], ["not fixed yet", "another notice"]),
    ("198.18.11.1", FOREIGN, 25, Reason.ANNOUNCED, ["1月中旬"], ["mid-January"]),
    (
        "198.18.4.1",
        FOREIGN,
        25,
        Reason.NOT_YET,
        ["2011年4月1日から", "今から変更できます"],
        ["From 1 April 2011", "may be changed now"],
    ),
    ("198.18.12.1", FOREIGN, 25, Reason.NOT_YET, ["2011年4月1日から"], ["Nothing is restricted"]),
    ("198.18.5.1", FOREIGN, 25, Reason.ENDED, ["2010年4月1日に終了"], ["ended on 1 April 2010"]),
]


def ask(source: str, destination: str, port: int) -> tuple[Flow, Verdict]:
    flow = Flow(ip_address(source), ip_address(destination), port)
    return flow, JUDGE.verdict(flow, AT)


@pytest.mark.parametrize(("source", "destination", "port", "reason", "ja", "en"), CASES)
def test_says_why(
    speakers: dict[Language, Speaker],
    source: str,
    destination: str,
    port: int,
    reason: Reason,
    ja: list[str],
    en: list[str],
) -> None:
    flow, verdict = ask(source, destination, port)
    assert verdict.reason is reason
    for language, wanted in (("ja", ja), ("en", en)):
        words = text(verdict, POLICY_OF_ALL, flow, AT, speakers[language])
        assert [each for each in wanted if each not in words] == [], words
        assert_well_said(words, language)


def assert_well_said(words: str, language: str) -> None:
    """Whole sentences, nothing left to fill in, and no English in Japanese but names."""
    assert words.endswith("。" if language == "ja" else ".")
    assert re.findall(r"\{|  |。。|\.\.|None", words) == []
    if language == "ja":
        assert re.findall(r"\b(?:the|is|are|please|port|server)\b", words, re.IGNORECASE) == []
    else:
        assert words.replace("例", "").isascii()


def test_every_reason_is_among_them() -> None:
    assert {reason for _, _, _, reason, _, _ in CASES} == set(Reason)


def test_remedies_in_order(speakers: dict[Language, Speaker]) -> None:
    flow, verdict = ask("198.18.0.1", FOREIGN, 25)
    words = text(verdict, POLICY_OF_ALL, flow, AT, speakers["en"])
    marks = {
        Remedy.USE_OWN_SUBMISSION: "mail.(your sub-domain).example.net with port 587",
        Remedy.USE_OTHER_SUBMISSION: "port 587 or 465",
        Remedy.ASK_THEIR_OPERATOR: "ask its operator",
        Remedy.USE_SMART_HOST: "smart host",
        Remedy.USE_WEBMAIL: "Webmail",
        Remedy.REQUEST_EXEMPTION: "exempt@example.net",
        Remedy.CONTACT_SUPPORT: "telephone 050-0000-0001, fax 050-0000-0002, mail help@example.net, https://",
    }
    assert tuple(marks) == verdict.remedies
    places = [words.index(mark) for mark in marks.values()]
    assert places == sorted(places)
    assert "Fee: 500 yen a month." in words
    assert "do not support the set-up" in words


def test_other_protocols_and_answers(speakers: dict[Language, Speaker]) -> None:
    source, foreign = ip_address("198.18.0.1"), ip_address(FOREIGN)
    for flow, wanted in (
        (Flow(source, foreign, 25, proto=17), "this is not TCP"),
        (Flow(source, foreign, 40000, sport=25), "the answer of a mail server at 198.18.0.1"),
    ):
        assert wanted in text(JUDGE.verdict(flow, AT), POLICY_OF_ALL, flow, AT, speakers["en"])


def test_the_name_that_was_asked_for(speakers: dict[Language, Speaker]) -> None:
    flow, verdict = ask("198.18.0.1", FOREIGN, 25)
    words = text(verdict, POLICY_OF_ALL, flow, AT, speakers["en"], "mx.example.org")
    assert "cannot be sent to mx.example.org on" in words
    assert FOREIGN not in words


@settings(max_examples=150)
@given(cases(), st.sampled_from(["ja", "en"]))
def test_no_policy_leaves_it_speechless(
    speakers: dict[Language, Speaker], case: tuple[Policy, list[tuple[Flow, datetime]]], language: Language
) -> None:
    policy, asked = case
    judge = Judge(policy)
    for flow, at in asked:
        assert_well_said(text(judge.verdict(flow, at), policy, flow, at, speakers[language]), language)


def test_calls_lines_by_their_names(speakers: dict[Language, Speaker]) -> None:
    """Where [information.names] has one; else the word of the pool stands."""
    named = POLICY_OF_ALL.model_copy(
        update={"information": Information(names=(Name(word="dial-up", ja="ダイヤルアップ接続", en="dial-up access"),))}
    )
    flow, verdict = ask("198.18.7.1", FOREIGN, 25)
    assert "回線（ダイヤルアップ接続）" in text(verdict, named, flow, AT, speakers["ja"])
    assert "(dial-up access)" in text(verdict, named, flow, AT, speakers["en"])
