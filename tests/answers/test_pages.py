"""The pages: what each claim must say, in both languages, and that every page of every example is well said."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.answers.blocks import Block, Link, Picture, Question, Sample
from op25b.answers.pages import PAGES, Bulletin, Subject
from op25b.answers.speech import LANGUAGES, Language, Speaker
from op25b.policy.load import load
from op25b.policy.model import Policy
from op25b.policy.table import Words
from op25b.policy.verdict import Flow, Judge
from tests.support.examples import FOLDER, POLICIES
from tests.support.policies import cases
from tests.support.wording import faults, whole

AT = "2010-12-01T12:00:00+09:00"
BEYOND = ("setup", "credentials/infonia", "credentials/imart", "credentials/hosting", "exemptions", "trouble/steps")
"""Pages that are linked to and made elsewhere."""


@cache
def judge(name: str) -> Judge:
    policy = load((FOLDER / f"{name}.toml").read_text("utf-8")).policy
    assert policy is not None
    return Judge(policy)


class Claim(NamedTuple):
    provider: str
    page: str
    ja: tuple[str, ...]
    en: tuple[str, ...]
    at: str = AT


CLAIMS = {
    "L2": Claim(
        "netlaputa", "affected", ("Bフレッツ、フレッツADSL、フレッツISDN",), ("B FLET'S, FLET'S ADSL, FLET'S ISDN",)
    ),
    "L3": Claim(
        "netlaputa", "affected", ("二つの条件の両方", "どちらか一つだけ"), ("both of these", "only one of them")
    ),
    "L5": Claim(
        "netlaputa", "affected", ("次の回線をお使いのお客さま：ダイヤルアップ接続",), ("these lines: dial-up",)
    ),
    "L6": Claim("netlaputa", "questions", ("そのプロバイダーにおたずねください",), ("Please ask that provider",)),
    "L7": Claim(
        "netlaputa", "avoid", ("POPのアカウントと同じ", "PLAINまたはLOGIN"), ("of your POP account", "PLAIN or LOGIN")
    ),
    "L9": Claim(
        "netlaputa",
        "avoid",
        (
            "送信サーバー（SMTP）：mail.netlaputa.example",
            "送信ポート番号：587",
            "SMTP AUTH",
            "受信の設定は変更する必要がありません",
        ),
        ("Sending server (SMTP): mail.netlaputa.example", "Sending port: 587", "receiving mail stay as they are"),
    ),
    "L10": Claim(
        "netlaputa",
        "avoid",
        ("ポート25以外の送信方法", "SMTP over SSL", "そのサーバーの管理者"),
        ("a way of sending other than port 25", "SMTP over SSL", "ask its administrator"),
    ),
    "L11": Claim(
        "netlaputa",
        "about",
        ("フィッシングメール", "ほかのプロバイダーと協調", "匿名のまま", "遠隔操作", "知らないうちに"),
        (
            "phishing mail",
            "Providers take this measure together",
            "anonymously",
            "remotely controlled",
            "without knowing",
        ),
    ),
    "L12": Claim("netlaputa", "about", ("受信する迷惑メールは減りません",), ("does not reduce it",)),
    "L13": Claim(
        "netlaputa",
        "about",
        ("影響を受けるお客さま", "影響を受けるお客さまの対応方法", "よくあるご質問"),
        ("Customers who are affected", "How to go on sending mail", "Questions and answers"),
    ),
    "F1": Claim(
        "fitweb",
        "about",
        (
            "FITWebが提供するメールサーバー以外のポート25への接続を遮断",
            "読み方は",
            "FITWebのネットワークの出口で止まります",
        ),
        ("cuts connections", "is read", "stopped at the edge of FITWeb's network"),
    ),
    "F2": Claim(
        "fitweb",
        "affected",
        ("フレッツ・光プレミアム\n地域\nすべて", "富山県、石川県、福井県以外のすべて"),
        ("FLET'S Hikari Premium\nRegions\nall of them", "all except Toyama, Ishikawa, Fukui"),
    ),
    "F4": Claim(
        "fitweb",
        "affected",
        ("他社プロバイダーのメール", "フリーメール", "他社で管理している独自ドメイン"),
        ("mail of another provider", "free mail", "hosted at another company"),
    ),
    "F7": Claim(
        "fitweb", "avoid", ("そのサーバーの管理者（他社プロバイダー",), ("ask its administrator: the other provider",)
    ),
    "F8": Claim("fitweb", "about", ("機密情報や個人情報の流出を抑えます",), ("confidential or personal data",)),
    "F9": Claim("fitweb", "about", ("JEAG", "2005年3月"), ("JEAG", "March 2005")),
    "F9 links": Claim(
        "fitweb",
        "avoid",
        ("メールソフトの設定手順", "メールソフトの設定方法", "ポート587とSMTP AUTHについて"),
        ("Settings of your mail program", "About port 587 and SMTP AUTH"),
    ),
    "N1 N2 N3": Claim(
        "nmtnet",
        "affected",
        ("先行実施のご契約\n実施状況\n制限しています", "2011年1月中旬以降", "2010年10月26日から2010年12月31日まで"),
        ("covered already\nState\nrestricted now", "mid-January 2011 or later", "26 October 2010 to 31 December 2010"),
    ),
    "N5": Claim(
        "nmtnet",
        "affected",
        ("動的IPアドレス", "NTT東日本・西日本 フレッツ・ADSL"),
        ("dynamic IP address", "NTT East/West"),
    ),
    "N7": Claim(
        "nmtnet", "affected", ("NMTnetの送信サーバーを、ポート25の設定で", "セキュリティソフト"), ("NMTnet's own",)
    ),
    "N9": Claim(
        "nmtnet",
        "contact",
        ("営業時間内", "24時間受付（ご返答は営業時間内）", "平日9:00〜17:45", "ただいま営業時間内です"),
        ("during office hours", "taken 24 hours a day", "Weekdays, 9:00 to 17:45", "open now"),
    ),
    "N9 closed": Claim(
        "nmtnet",
        "contact",
        ("次の営業開始は2011年1月4日 9:00",),
        ("opens next on 4 January 2011, 9:00",),
        "2010-12-31T12:00:00+09:00",
    ),
    "S1": Claim(
        "sonet", "trouble", ("急にメールを送信できなくなった", "送信だけができない"), ("suddenly", "but cannot send")
    ),
    "S2": Claim(
        "sonet",
        "trouble",
        ("原因1：So-netのOP25B", "POP before SMTP", "原因4：メールソフトの設定", "原因5：障害"),
        ("Cause 1: So-net's own OP25B", "POP before SMTP", "Cause 4: a wrong setting", "Cause 5: an outage"),
    ),
    "S5": Claim(
        "sonet",
        "avoid",
        ("スマートホスト", "サポートの対象外", "Postfix", "OpenSMTPD"),
        ("smart host", "do not support", "Exim", "Microsoft Exchange"),
    ),
    "S7": Claim("sonet", "avoid", ("2006年3月1日から", "サブドメイン"), ("since 1 March 2006", "sub-domain")),
    "S8": Claim(
        "sonet", "affected", ("So-net Webメール", "So-netのホスティングサービス"), ("So-net Webmail", "So-net hosting")
    ),
    "S9": Claim(
        "sonet", "about", ("直接の効果", "迷惑メール振り分けサービス", "スパムキラー"), ("Not directly", "SpamKiller")
    ),
    "S10": Claim(
        "sonet",
        "glossary",
        ("ポート25", "サブミッションポート", "ポート587", "対応したメールソフトが必要"),
        ("Port 25", "Submission port", "Port 587", "Your mail program must support it"),
    ),
    "S11": Claim(
        "sonet", "about", ("知らないうちに", "匿名のまま", "協調"), ("without knowing", "anonymously", "together")
    ),
    "I3": Claim("infonia", "about", ("わずかにとどまる", "一斉配信サービス"), ("slightly at most", "bulk mailers")),
    "I4": Claim("infonia", "about", ("同じポートと同じ手順",), ("should not share one port",)),
    "I6": Claim(
        "infonia",
        "questions",
        ("送信ポート番号を変更できません", "制限を解除"),
        ("port of my mail program cannot be", "lifted"),
    ),
    "I11": Claim(
        "infonia", "questions", ("まず、そのネットワークの管理者に",), ("administrator of that network first",)
    ),
    "I12": Claim("infonia", "questions", ("その事業者におたずねください", "レンタルサーバー"), ("Rental servers",)),
    "I13": Claim("infonia", "questions", ("SMTP AUTHが必須", "ポート587でも"), ("required", "on port 587 either")),
    "I14": Claim(
        "infonia",
        "avoid",
        ("承諾通知書", "無料で、すぐに発行", "infoniaのお客さま", "imartのお客さま"),
        ("notice of acceptance", "at once and free of charge", "customers of infonia", "customers of imart"),
    ),
    "I15": Claim("infonia", "questions", ("現在のPOPパスワードが必要",), ("present POP password",)),
    "I16": Claim(
        "infonia",
        "avoid",
        ("郵送", "525円", "2008年3月24日から2008年4月30日"),
        ("525 yen", "24 March 2008 to 30 April"),
    ),
    "I17": Claim("infonia", "questions", ("初期パスワード", "（無料）"), ("the initial one", "free of charge")),
}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_claims(speakers: dict[Language, Speaker], claim: Claim) -> None:
    wanted_in: dict[Language, tuple[str, ...]] = {"ja": claim.ja, "en": claim.en}
    for language, wanted in wanted_in.items():
        subject = Subject(judge(claim.provider), datetime.fromisoformat(claim.at), speakers[language])
        words = whole(PAGES[claim.page](subject))
        assert [each for each in wanted if each not in words] == [], words


@pytest.mark.parametrize("key", PAGES)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [path.stem for path in POLICIES])
def test_every_page_is_well_said(speakers: dict[Language, Speaker], name: str, language: Language, key: str) -> None:
    for at in (AT, "2008-03-25T12:00:00+09:00", "2026-05-01T12:00:00+09:00"):
        page = PAGES[key](Subject(judge(name), datetime.fromisoformat(at), speakers[language]))
        assert page.key == key
        assert faults(whole(page), language) == []
        assert_sound([block for section in page.sections for block in section.blocks])
        anchors = [section.key for section in page.sections]
        anchors += [block.key for section in page.sections for block in section.blocks if isinstance(block, Question)]
        assert len(anchors) == len(set(anchors))


def assert_sound(blocks: list[Block]) -> None:
    """Links lead to pages that are there, and to one place each; pictures are whole."""
    for block in blocks:
        if isinstance(block, Question):
            assert_sound(list(block.blocks))
        if isinstance(block, Link):
            assert bool(block.page) != bool(block.url)
            assert not block.page or block.page in (*PAGES, *BEYOND)
        if isinstance(block, Picture):
            assert ElementTree.fromstring(block.svg).tag == "{http://www.w3.org/2000/svg}svg"


def test_links_to_sections_find_them(speakers: dict[Language, Speaker]) -> None:
    subject = Subject(judge("sonet"), datetime.fromisoformat(AT), speakers["ja"])
    pages = {key: page(subject) for key, page in PAGES.items()}
    anchors = {(key, section.key) for key, page in pages.items() for section in page.sections}
    links = [
        block
        for page in pages.values()
        for section in page.sections
        for block in (*section.blocks, *(b for q in section.blocks if isinstance(q, Question) for b in q.blocks))
        if isinstance(block, Link) and block.section
    ]
    assert links
    assert [link for link in links if (link.page, link.section) not in anchors] == []


def test_causes_in_their_order(speakers: dict[Language, Speaker]) -> None:
    """Claims S2, S3: outages and maintenance are in the fifth."""
    outage = Bulletin("outage", Words(ja="障害です。", en="An outage."), datetime.fromisoformat(AT))
    ends = datetime.fromisoformat("2010-12-02T00:00:00+09:00")
    works = Bulletin("maintenance", Words(ja="作業です。", en="Works."), datetime.fromisoformat(AT), ends)
    page = PAGES["trouble"](
        Subject(judge("sonet"), datetime.fromisoformat(AT), speakers["en"], bulletins=(outage, works))
    )
    assert [section.key for section in page.sections] == ["symptom", *(f"cause-{number}" for number in range(1, 6))]
    words = whole(page)
    assert "Outage, since 1 December 2010, 12:00 (JST)\nAn outage." in words
    assert "Maintenance, 1 December 2010, 12:00 to 2 December 2010, 0:00 (JST)\nWorks." in words
    assert "no outage" not in words


def test_smart_host_samples_name_the_host(speakers: dict[Language, Speaker]) -> None:
    """Claim S5; where home servers are refused there are none (claim I8)."""
    for name, number, host in (("sonet", 5, "mail.SUBDOMAIN.sonet.example"), ("infonia", 0, "")):
        subject = Subject(judge(name), datetime.fromisoformat(AT), speakers["ja"])
        blocks = [block for section in PAGES["avoid"](subject).sections for block in section.blocks]
        samples = [block for block in blocks if isinstance(block, Sample)]
        assert len(samples) == number
        assert all(host in sample.text and "{host}" not in sample.text for sample in samples)


def test_smart_host_samples_for_a_server_that_takes_465_alone(speakers: dict[Language, Speaker]) -> None:
    """sendmail and Exchange cannot hand mail on with TLS from the first octet."""
    written = (FOLDER / "sonet.toml").read_text()
    policy = load(re.sub(r"^ports = .*587.*$", "ports = [465]", written, flags=re.M)).policy
    assert policy is not None
    page = PAGES["avoid"](Subject(Judge(policy), datetime.fromisoformat(AT), speakers["ja"]))
    blocks = [block for section in page.sections for block in section.blocks]
    samples = {block.language: block.text for block in blocks if isinstance(block, Sample)}
    assert set(samples) == {"postfix", "exim", "opensmtpd"}
    assert all("465" in text and "587" not in text for text in samples.values())


@settings(max_examples=25)
@given(cases(), st.sampled_from(["ja", "en"]))
def test_no_policy_leaves_them_speechless(
    speakers: dict[Language, Speaker], case: tuple[Policy, list[tuple[Flow, datetime]]], language: Language
) -> None:
    policy, asked = case
    for _, at in asked[:2]:
        subject = Subject(Judge(policy), at, speakers[language])
        for page in PAGES.values():
            assert faults(whole(page(subject)), language) == []
