"""Situations: the claims of the five, and for any policy the same answer as the verdict on the packet."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cache
from ipaddress import ip_address
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.answers.reply import reply
from op25b.answers.situation import Affected, Line, Server, Situation, Symptom, Uses, answer
from op25b.answers.speech import Language, Speaker
from op25b.policy.load import load
from op25b.policy.model import Policy
from op25b.policy.reasons import Decision, Reason, Remedy
from op25b.policy.verdict import Flow, Judge
from tests.support.examples import FOLDER
from tests.support.policies import TICK, cases
from tests.support.wording import faults, said

Asked = tuple[Policy, list[tuple[Flow, datetime]]]
AT = "2010-12-01T12:00:00+09:00"


@cache
def judge(name: str) -> Judge:
    policy = load((FOLDER / f"{name}.toml").read_text("utf-8")).policy
    assert policy is not None
    return Judge(policy)


class Told(NamedTuple):
    """A situation at a provider; what the answer is, and what both languages must say."""

    provider: str
    situation: Situation
    affected: Affected
    ja: tuple[str, ...]
    en: tuple[str, ...]
    at: str = AT


ADSL, DIAL_UP = Line(line="flets-adsl"), Line(line="dial-up")
PREMIUM = Line(line="flets-hikari-premium")
TOLD = {
    "L3 both": Told(
        "netlaputa",
        Situation(ADSL),
        Affected.YES,
        ("両方の条件に当てはまります", "はい：フレッツADSL", "587"),
        ("Both conditions hold", "yes: FLET'S ADSL", "port 587"),
    ),
    "L3 own server": Told(
        "netlaputa",
        Situation(ADSL, Server.OWN),
        Affected.NO,
        ("いいえ：mail.netlaputa.example", "両方の条件に当てはまる場合だけ"),
        ("no: mail.netlaputa.example", "Only those who meet both"),
    ),
    "L3 other line": Told(
        "netlaputa", Situation(DIAL_UP), Affected.NO, ("いいえ：ダイヤルアップ接続",), ("no: dial-up", "Only those")
    ),
    "L6": Told(
        "netlaputa",
        Situation(None, Server.OWN),
        Affected.DEPENDS,
        ("その回線のプロバイダーによって決まります", "ポート番号を587"),
        ("decided by the provider of that line", "port 587"),
    ),
    "L8": Told(
        "netlaputa",
        Situation(ADSL, uses=Uses.WEBMAIL),
        Affected.NO,
        ("これまでどおり", "送信サーバーを設定したメールソフト"),
        ("works as before", "counts like any other"),
    ),
    "F2 premium in Hokuriku": Told(
        "fitweb",
        Situation(Line(line="flets-hikari-premium", region="ishikawa")),
        Affected.YES,
        ("フレッツ・光プレミアム",),
        ("FLET'S Hikari Premium",),
    ),
    "F2 in Toyama": Told(
        "fitweb",
        Situation(Line(line="flets-adsl", region="toyama")),
        Affected.NO,
        ("地域（富山県）では制限の対象ではありません",),
        ("not covered in your region (Toyama)",),
    ),
    "F2 region not said": Told(
        "fitweb",
        Situation(ADSL),
        Affected.DEPENDS,
        ("影響あり", "フレッツ・ADSL（大阪府）、フレッツ・ADSL（東京都）", "影響なし", "フレッツ・ADSL（福井県）"),
        ("Affected", "FLET'S ADSL (Osaka), FLET'S ADSL (Tokyo)", "Not affected", "FLET'S ADSL (Fukui)"),
    ),
    "F3": Told(
        "fitweb", Situation(PREMIUM, Server.OWN), Affected.NO, ("いいえ：smtp.fitweb.example",), ("no: smtp.fitweb",)
    ),
    "F5": Told(
        "fitweb",
        Situation(Line(line="flets-isdn", region="osaka"), uses=Uses.HOME_SERVER),
        Affected.YES,
        ("ほかのメールサーバーへ直接送信することはできません",),
        ("cannot send mail directly to other mail servers",),
    ),
    "N2 N3 N4": Told(
        "nmtnet",
        Situation(ADSL, Server.OWN),
        Affected.LATER,
        ("2011年1月中旬以降", "あらためてお知らせします", "2010年10月26日から2010年12月31日まで", "今から変更できます"),
        ("mid-January 2011 or later", "another notice", "26 October 2010 and 31 December 2010", "may be changed now"),
    ),
    "N5": Told("nmtnet", Situation(ADSL), Affected.LATER, ("動的IPアドレスからの送信",), ("dynamic IP addresses",)),
    "N6": Told(
        "nmtnet",
        Situation(None),
        Affected.DEPENDS,
        ("そちらの制限の影響を受けます",),
        ("you are affected by its restriction",),
    ),
    "N7": Told(
        "nmtnet",
        Situation(Line(contract="already-covered"), Server.OWN, uses=Uses.SECURITY_SOFTWARE),
        Affected.YES,
        ("送信サーバーのポート25も制限に含まれます", "セキュリティソフト"),
        ("includes port 25 of NMTnet's own", "Security software"),
    ),
    "S4": Told("sonet", Situation(Line(line="mobile")), Affected.NO, ("いいえ：モバイル接続",), ("no: mobile access",)),
    "S5": Told(
        "sonet",
        Situation(Line(line="b-flets"), uses=Uses.HOME_SERVER),
        Affected.YES,
        ("スマートホスト", "サポートの対象外"),
        ("smart host", "do not support the set-up"),
    ),
    "S6": Told(
        "sonet",
        Situation(None, Server.OWN),
        Affected.DEPENDS,
        ("POP before SMTP", "10分以内"),
        ("POP before SMTP", "within 10 minutes"),
    ),
    "S7": Told(
        "sonet",
        Situation(None, Server.OWN),
        Affected.DEPENDS,
        ("mail.(お客さまのサブドメイン).sonet.example", "サブドメイン", "2006年3月1日から"),
        ("sub-domain", "from 1 March 2006"),
        "2006-02-01T00:00:00+09:00",
    ),
    "S8": Told(
        "sonet",
        Situation(uses=Uses.HOSTING),
        Affected.NO,
        ("このサービスのネットワークは、制限の対象ではありません",),
        ("a network that is not covered",),
    ),
    "I2 before": Told(
        "infonia",
        Situation(Line(assignment="dynamic")),
        Affected.LATER,
        ("2008年4月1日から",),
        ("From 1 April 2008",),
        "2008-03-31T23:59:59+09:00",
    ),
    "I2 after": Told(
        "infonia",
        Situation(Line(assignment="dynamic"), Server.OWN),
        Affected.YES,
        ("2008年4月1日から", "infoniaの送信サーバーのポート25も"),
        ("Since 1 April 2008", "infonia's own sending server"),
        "2008-04-01T00:00:00+09:00",
    ),
    "I5": Told(
        "infonia",
        Situation(Line(assignment="dynamic"), symptom=Symptom.NO_SMTP_AUTH),
        Affected.YES,
        (
            "SMTP AUTH（送信時の認証）に対応したメールソフトへの変更",
            "制限の解除",
            "query@infonia.example",
            "お客さまのご負担",
        ),
        ("change to a mail program that supports SMTP AUTH", "lift the restriction", "bears the cost"),
    ),
    "I6": Told(
        "infonia",
        Situation(Line(assignment="dynamic"), symptom=Symptom.NO_PORT_CHANGE),
        Affected.YES,
        ("送信ポート番号を設定できるメールソフトへの変更", "制限の解除"),
        ("in which the sending port can be set", "lift the restriction"),
    ),
    "I10": Told(
        "infonia", Situation(Line(contract="corporate")), Affected.NO, ("ご契約「法人契約」",), ("corporate contract",)
    ),
    "I11": Told(
        "infonia",
        Situation(Line(assignment="dynamic"), Server.OWN, symptom=Symptom.NO_SUBMISSION),
        Affected.NO,
        ("まず、そのネットワークの管理者におたずねください", "query@infonia.example"),
        ("administrator of that network first", "query@infonia.example"),
    ),
    "I12": Told(
        "infonia",
        Situation(Line(assignment="dynamic"), symptom=Symptom.NO_SUBMISSION),
        Affected.NO,
        ("その事業者におたずねください", "レンタルサーバー"),
        ("for that provider to say", "Rental servers"),
    ),
}


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
def test_claims(speakers: dict[Language, Speaker], told: Told) -> None:
    policy = judge(told.provider).policy
    found = answer(judge(told.provider), told.situation, datetime.fromisoformat(told.at))
    assert found.affected is told.affected
    wanted_in: dict[Language, tuple[str, ...]] = {"ja": told.ja, "en": told.en}
    for language, wanted in wanted_in.items():
        words = said(reply(found, policy, speakers[language]))
        assert [each for each in wanted if each not in words] == [], words
        assert faults(words, language) == [], words


def test_remedies_are_for_who_sends_so() -> None:
    """S5: a home server is helped as one, and first of all; a mail program is not told of smart hosts."""
    at = datetime.fromisoformat(AT)
    home = answer(judge("sonet"), Situation(Line(line="b-flets"), uses=Uses.HOME_SERVER), at).remedies
    assert home == (Remedy.USE_SMART_HOST, Remedy.USE_OWN_SUBMISSION, Remedy.CONTACT_SUPPORT)
    program = answer(judge("sonet"), Situation(Line(line="b-flets")), at).remedies
    assert program == (
        Remedy.USE_OWN_SUBMISSION,
        Remedy.USE_OTHER_SUBMISSION,
        Remedy.ASK_THEIR_OPERATOR,
        Remedy.USE_WEBMAIL,
        Remedy.CONTACT_SUPPORT,
    )


def test_announced_beside_monitored(speakers: dict[Language, Speaker]) -> None:
    """The laboratories are watched now, and blocked at a time that is not fixed: both are said."""
    at = datetime.fromisoformat("2026-05-01T12:00:00+09:00")
    found = answer(judge("campus"), Situation(Line(line="laboratory")), at)
    assert (found.affected, found.case.verdict.reason) == (Affected.LATER, Reason.MONITORED)
    words = said(reply(found, judge("campus").policy, speakers["en"]))
    assert "only counts such attempts" in words
    assert "during the coming summer break" in words
    assert words.count("The settings may be changed now") == 1


def test_servers_that_fare_differently(speakers: dict[Language, Speaker]) -> None:
    at = datetime.fromisoformat("2026-05-01T12:00:00+09:00")
    found = answer(judge("campus"), Situation(Line(line="dormitory"), Server.OWN), at)
    assert found.affected is Affected.DEPENDS
    words = said(reply(found, judge("campus").policy, speakers["en"]))
    assert "Affected\nsmtp.campus.example\nNot affected\nsmtp-devices.campus.example" in words


def test_an_exemption_that_ends(speakers: dict[Language, Speaker]) -> None:
    source, there = ip_address("198.19.161.4"), Server.OTHER
    at = datetime.fromisoformat("2024-06-01T00:00:00+02:00")
    found = answer(judge("hosting"), Situation(source, there), at)
    assert (found.affected, found.case.verdict.reason) == (Affected.LATER, Reason.EXEMPT)
    assert found.case.from_ == datetime.fromisoformat("2024-08-01T00:00:00+02:00")
    words = said(reply(found, judge("hosting").policy, speakers["en"]))
    assert "An exemption from the restriction holds here until 1 August 2024" in words
    assert "What you can do" in words


@settings(max_examples=60)
@given(cases())
def test_the_same_as_the_verdict(case: Asked) -> None:
    assert_the_same(*case)


@pytest.mark.long
@settings(max_examples=3000, deadline=None)
@given(cases())
def test_the_same_as_the_verdict_for_thousands(case: Asked) -> None:
    assert_the_same(*case)


def assert_the_same(policy: Policy, asked: list[tuple[Flow, datetime]]) -> None:
    """With addresses, the answer is the verdict on the packet; affected means blocked, and nothing else does."""
    one = Judge(policy)
    for flow, at in asked:
        verdict = one.verdict(Flow(flow.src, flow.dst, flow.dport), at)
        found = answer(one, Situation(flow.src, flow.dst, flow.dport), at)
        assert found.case.verdict == verdict
        assert (found.affected is Affected.YES) is (verdict.decision is Decision.BLOCK)
        ends = found.case.from_ if verdict.reason is Reason.EXEMPT else None
        offered = one.verdict(Flow(flow.src, flow.dst, flow.dport), ends) if ends else verdict
        assert set(found.remedies) <= set(offered.remedies)
        if found.affected is Affected.YES:
            assert (found.case.line, found.case.server) == (True, True)
        begins = found.case.from_
        if begins is not None:
            assert begins > at
            assert one.verdict(Flow(flow.src, flow.dst), begins).decision is Decision.BLOCK
            assert one.verdict(Flow(flow.src, flow.dst), begins - TICK).decision is not Decision.BLOCK


@settings(max_examples=30)
@given(cases(), st.data())
def test_a_line_stands_for_its_pools(case: Asked, data: st.DataObject) -> None:
    """What is said of a line holds for every plain address on it: one of the cases is that address's verdict."""
    policy, asked = case
    one = Judge(policy)
    for flow, at in asked:
        place = one.sources.of(flow.src)
        if place.pool < 0 or place.server >= 0 or place.exemptions or one.destinations.of(flow.dst) != ((-1, -1, ())):
            continue
        pool = policy.pools[place.pool]
        known = data.draw(st.sets(st.sampled_from(("line", "region", "assignment", "contract", "pool"))))
        said_of = {key: pool.name if key == "pool" else getattr(pool, key) for key in known}
        found = answer(one, Situation(Line(**said_of), Server.OTHER, flow.dport), at)
        verdict = one.verdict(Flow(flow.src, flow.dst, flow.dport), at)
        # one pool speaks for all that mean the same
        assert replace(verdict, pool=None) in [replace(each.verdict, pool=None) for each in found.cases]
        blocked = verdict.decision is Decision.BLOCK
        assert found.affected in (
            (Affected.YES, Affected.DEPENDS) if blocked else tuple(set(Affected) - {Affected.YES})
        )


SITUATIONS = st.builds(
    Situation,
    st.none() | st.builds(Line, line=st.none() | st.sampled_from(("b-flets", "dial-up")), region=st.none()),
    st.sampled_from(Server),
    st.sampled_from((25, 587, 465)),
    st.sampled_from(Uses),
    st.none() | st.sampled_from(Symptom),
)


@settings(max_examples=25)
@given(cases(), SITUATIONS, st.sampled_from(["ja", "en"]))
def test_no_situation_leaves_it_speechless(
    speakers: dict[Language, Speaker],
    case: Asked,
    situation: Situation,
    language: Language,
) -> None:
    policy, asked = case
    one = Judge(policy)
    for _, at in asked[:3]:
        sections = reply(answer(one, situation, at), policy, speakers[language])
        assert [section.key for section in sections][:2] == ["answer", "why"]
        assert faults(said(sections), language) == []


def test_many_pools_that_mean_the_same_are_one_case() -> None:
    policy = judge("netlaputa").policy
    more = [policy.pools[1].model_copy(update={"name": f"more-{number}", "prefixes": ()}) for number in range(2000)]
    many = Judge(policy.model_copy(update={"pools": (*policy.pools, *more)}))
    assert len(answer(many, Situation(Line()), datetime.fromisoformat(AT)).cases) == len(policy.pools)
