"""What the desks see and do, over HTTP."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from op25b.doctor.probe.coding import SETTINGS, code
from op25b.doctor.probe.findings import CELLS, Summary
from op25b.doctor.probe.outcomes import Login, Outcome, Place, Role
from op25b.portal.console.overview import STREAMS
from op25b.rollout.recipients import Person
from op25b.rollout.records import Records
from op25b.store.audit import By, trail
from op25b.watch import cases
from op25b.watch.states import State
from tests.portal.console.conftest import Console, Visitor
from tests.support.desk import HERS, SHOP, TARO


@pytest.mark.parametrize("asked", [TARO, HERS, "2001:db8:1000:1234::1"])
def test_who_is_this_customer(console: Console, asked: str) -> None:
    page = console.at("support").client.get("/en/customer", params={"who": asked}).text
    assert f"<h1>{TARO}</h1>" in page
    assert "port 25" in page
    assert "9,000" in page, "what was refused"
    for known in (f"{HERS}/32", "198.18.8.20/32", "203.0.113.9/32", "messages an hour: 20", "infected machine"):
        assert known in page, known
    assert ">blocked<" in page
    assert "the content" not in page


def test_the_same_in_japanese(console: Console) -> None:
    page = console.at("support").client.get("/ja/customer", params={"who": TARO}).text
    assert "遮断" in page
    assert "感染の疑い" in page
    assert "ポート" in page


def test_no_names_of_the_programs_own_are_shown(console: Console) -> None:
    """What the store keeps as names comes in the desk's words, in its language."""
    records = Records(console.store)
    (phase,) = console.policy.phases
    taro = Person(TARO, TARO, ("ja",), "", "", (), "")
    shop = Person(SHOP, "", ("ja",), "", "770-0831", ("徳島市",), "")
    for mail in records.plan(phase.name, "in-force@2006-07-01T15:00Z", [taro, shop], By("root", console.now, "")):
        records.taken(mail.id, console.now)
    abuse = console.at("abuse")
    seen = abuse.client.get("/ja/customer", params={"who": TARO}).text
    for word in ("実施開始のお知らせ（2006年7月2日）", "メール<br>", "送信済み", "1時間の通数：20"):
        assert word in seen, word
    assert "印刷待ち" in abuse.client.get("/ja/customer", params={"who": SHOP}).text
    case = abuse.get("/ja/cases/1").text
    for word in ("最も多い1時間の接続先の数", "感染の疑い：接続先が非常に多い", "≥ 100", "案件の検知"):
        assert word in case, word
    for raw in ("relation", "threshold", ">None<", "+00:00<"):
        assert raw not in case, raw


def test_what_a_step_does_is_said_beside_it(console: Console) -> None:
    manager = console.at("manager")
    number = asked(manager)
    for path in (f"exemptions/{number}", "cases/1"):
        page = manager.get(f"/ja/{path}").text
        forms = page.split("<summary>")[1:]
        assert forms
        assert all("<p>" in form.partition("<button>")[0] for form in forms), path


@pytest.mark.parametrize("role", ["network", "mail", "support", "abuse", "manager"])
def test_times_say_their_zone(console: Console, role: str) -> None:
    assert "日時はすべてAsia/Tokyoの時刻です。" in console.at(role).get("/ja/").text


def test_what_is_refused_is_said_in_the_desks_language(console: Console) -> None:
    support = console.at("support")
    gone = support.get("/ja/cases/99")
    assert (gone.status_code, "この番号に該当するものはありません" in gone.text) == (404, True)
    assert "op25b watch" not in gone.text
    wrong = support.post("/ja/exemptions", {"kind": "subscriber", "reason": "own server"})
    assert (wrong.status_code, "入力内容に不足または誤りがあります" in wrong.text) == (422, True)


def test_an_account_that_is_suspended_says_why(console: Console) -> None:
    page = console.at("support").client.get("/en/customer", params={"who": SHOP}).text
    assert "sent to addresses that do not exist" in page
    assert f"@shop.example, {SHOP}" in page


@pytest.mark.parametrize("asked", ["", "nobody", "<script>alert(1)</script>", "x" * 400, "' OR 1=1 --", "%", "{{7*7}}"])
def test_who_is_nobody(console: Console, asked: str) -> None:
    answer = console.at("support").client.get("/en/customer", params={"who": asked})
    assert answer.status_code == 404
    assert "Nobody is known by this" in answer.text
    assert "<script>alert" not in answer.text
    assert ">49<" not in answer.text


def test_searching_finds_what_one_may_see(console: Console) -> None:
    support, mail = console.at("support"), console.at("mail")
    found = support.client.get("/en/search", params={"what": "taro"}).text
    assert found.count("customer?who=taro%40netlaputa.example") == 2, "a customer and an account"
    assert "/en/cases/1" in support.client.get("/en/search", params={"what": TARO}).text
    assert "/en/cases/1" not in mail.client.get("/en/search", params={"what": TARO}).text
    assert f"customer?who={HERS}" in support.client.get("/en/search", params={"what": HERS}).text
    assert "Nothing was found" in support.client.get("/en/search", params={"what": "999999999999999999999"}).text
    assert "Nothing was found" in support.client.get("/en/search?what=").text


def test_the_code_of_a_customers_check_is_read(console: Console) -> None:
    cells = tuple(Outcome.REFUSED if port == 25 and role is not Role.OWN else Outcome.WORKS for role, port, _ in CELLS)
    made = code(Summary(cells, Place.OWN, Login.UNTRIED, SETTINGS[0], False, True))
    visitor = console.at("support").client
    assert "Cause 1: Netlaputa&#39;s own OP25B" in visitor.get("/en/search", params={"what": made.lower()}).text
    page = visitor.get("/ja/search", params={"what": made}).text
    for word in ("原因1：ネットラピュタのOP25Bによる影響", "接続が拒否されました", "メールソフトの設定"):
        assert word in page, word
    assert ">refused<" not in page
    wrong = made[:-1] + ("0" if made[-1] != "0" else "1")
    assert "Nothing was found" in visitor.get("/en/search", params={"what": wrong}).text


def asked(visitor: Visitor, **fields: str) -> int:
    given = {"kind": "subscriber", "subscriber": SHOP, "reason": "shop's own server", "fee_accepted": "on"} | fields
    answer = visitor.post("/en/exemptions", given, page="/en/exemptions")
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rpartition("/")[2])


def test_an_exemption_from_request_to_end(console: Console) -> None:
    support, manager = console.at("support"), console.at("manager")
    number = asked(support)
    assert support.step(number, "review", why="looked").status_code == 303
    page = support.get(f"/en/exemptions/{number}").text
    assert "under review" in page
    assert "/approve" not in page, "not for support"
    overrides = {f"override-{name}": "contract seen" for name in failed(manager, number)}
    assert manager.step(number, "approve", why="contract seen", **overrides).status_code == 303
    assert "granted" in manager.get(f"/en/exemptions/{number}").text
    assert manager.step(number, "revoke").status_code == 422, "without a reason"
    assert manager.step(number, "revoke", why="sent spam").status_code == 303
    with console.store.read() as connection:
        lines = [(line.who, line.what, line.why) for line in trail(connection, f"exemption {number}")]
    assert [line[:2] for line in lines] == [
        ("support", "request"), ("support", "review"), ("manager", "grant"), ("manager", "revoke"),
    ]  # fmt: skip
    assert lines[-1][2] == "sent spam"
    assert "sent spam" in manager.get("/en/audit?text=spam").text


def failed(visitor: Visitor, number: int) -> list[str]:
    page = visitor.get(f"/en/exemptions/{number}").text
    return [part.split('"')[0] for part in page.split('name="override-')[1:]]


def test_a_wide_one_needs_a_second_person(console: Console) -> None:
    network, manager = console.at("network"), console.at("manager")
    number = asked(network, kind="prefix", subscriber="", prefix="198.18.0.64/26")
    network.step(number, "review")
    overrides = {f"override-{name}": "line is moved" for name in failed(network, number)}
    assert network.step(number, "approve", **overrides).status_code == 303
    page = network.get(f"/en/exemptions/{number}").text
    assert "second person needed" in page
    assert "2 persons must approve it" in page
    again = network.step(number, "approve", **overrides)
    assert (again.status_code, "another person is needed" in again.text) == (403, True)
    assert manager.step(number, "approve").status_code == 303
    assert ">granted<" in manager.get(f"/en/exemptions/{number}").text


def test_nobody_decides_on_what_he_has_not_seen(console: Console) -> None:
    manager = console.at("manager")
    number = asked(manager)
    manager.step(number, "review")
    late = manager.post(f"/en/exemptions/{number}/refuse", {"version": "1", "why": "no"})
    assert (late.status_code, "Somebody has changed it meanwhile" in late.text) == (412, True)
    assert manager.step(number, "refuse", why="no").status_code == 303


@pytest.mark.parametrize(
    "fields",
    [{"kind": "everything"}, {"reason": ""}, {"subscriber": ""}, {"until": "soon"}, {"until": "2020-01-01"},
     {"kind": "prefix", "subscriber": "", "prefix": "0.0.0.0/0"}, {"domain": "a\tb"}, {"reason": "x" * 3000}],
)  # fmt: skip
def test_a_request_that_cannot_be_meant(console: Console, fields: dict[str, str]) -> None:
    given = {"kind": "subscriber", "subscriber": SHOP, "reason": "own server"} | fields
    answer = console.at("support").post("/en/exemptions", given)
    assert answer.status_code == 422
    assert "Nothing was changed" in answer.text


@pytest.mark.parametrize("hidden", ["a\0b", "a\rb", "\x1b[31m"])
def test_control_characters_are_not_read(console: Console, hidden: str) -> None:
    given = {"kind": "subscriber", "subscriber": SHOP, "reason": hidden}
    assert console.at("support").post("/en/exemptions", given).status_code == 400


def test_a_case_from_notice_to_end(console: Console) -> None:
    abuse = console.at("abuse")
    page = abuse.get("/en/cases/1").text
    assert "targets in the busiest hour" in page
    assert "192.0.2.99" in page

    def step(name: str, seen: State, **fields: str) -> int:
        return abuse.post(f"/en/cases/1/{name}", {"seen": seen.value, **fields}).status_code

    assert step("quarantine", State.OPEN) == 409, "notice comes first"
    assert step("notice", State.OPEN, why="so that it stops") == 303
    assert step("quarantine", State.OPEN) == 412, "somebody was faster"
    assert step("quarantine", State.NOTICED) == 303
    assert "exemptions do not hold" in abuse.client.get("/en/customer", params={"who": TARO}).text
    assert step("release", State.QUARANTINED) == 303
    assert step("close", State.RELEASED, why="cleaned") == 303
    assert "/close" not in abuse.get("/en/cases/1").text
    assert "/en/cases/1" not in abuse.get("/en/cases").text
    assert "/en/cases/1" in abuse.get("/en/cases?closed=yes").text
    with console.store.read() as connection:
        assert [line.who for line in trail(connection, "case 1")] == ["op25b", *["abuse"] * 4]
        assert cases.find(connection, 1).state is State.CLOSED


def test_nobody_known_cannot_be_quarantined(console: Console) -> None:
    abuse = console.at("abuse")
    assert abuse.post("/en/cases/3/notice", {"seen": "open"}).status_code == 303
    assert abuse.post("/en/cases/3/quarantine", {"seen": "noticed"}).status_code == 409


def test_the_queue(console: Console) -> None:
    mail = console.at("mail")
    page = mail.get("/en/queue").text
    assert page.count("/en/queue/") == 2
    number = page.split("/en/queue/")[1].split('"')[0]
    assert "the content" not in mail.get(f"/en/queue/{number}").text
    assert mail.post(f"/en/queue/{number}/release").status_code == 422, "it is not held"
    assert mail.post(f"/en/queue/{number}/hold", {"why": "asked the customer"}).status_code == 303
    held = mail.get("/en/queue?state=held").text
    assert held.count("/en/queue/") == 1
    assert "asked the customer" in held
    assert mail.post(f"/en/queue/{number}/release").status_code == 303
    assert mail.get("/en/queue/nothing").status_code == 404
    with console.store.read() as connection:
        assert [line.what for line in trail(connection, f"message {number}")] == ["hold", "release"]


def test_a_host_without_mail_says_so(console: Console) -> None:
    console.spool = None
    console.follow()
    mail = console.at("mail")
    assert "No mail is taken on this host" in mail.get("/en/queue").text
    assert mail.get("/en/queue/nothing").status_code == 404
    assert "Messages that wait" not in mail.get("/en/").text


def test_the_hosts_that_filter(console: Console) -> None:
    network = console.at("network")
    page = network.get("/en/filter").text
    assert page.count("to be looked at") == 1
    assert "chain main: other rules" in page
    assert "48,210" in page
    assert "to be looked at: edge2.netlaputa.example" in network.get("/en/").text
    console.now += timedelta(minutes=10)
    assert network.get("/en/filter").text.count("silent since") == 2


def test_phases_and_bulletins(console: Console) -> None:
    support = console.at("support")
    assert "in force" in support.get("/en/phases").text
    text = {"ja": "メールサーバーの障害が発生しています。", "en": "The mail server is down. <b>Sorry</b>"}
    assert support.post("/en/bulletins", {"kind": "outage", **text}).status_code == 303
    page = support.get("/en/bulletins").text
    assert "&lt;b&gt;Sorry&lt;/b&gt;" in page
    assert "on now" in page
    assert support.post("/en/bulletins", {"kind": "outage", "ja": "", "en": "x"}).status_code == 422
    assert support.post("/en/bulletins", {"kind": "outage", **text, "from": "tomorrow"}).status_code == 422
    assert support.post("/en/bulletins/1/end").status_code == 303
    assert "on now" not in support.get("/en/bulletins").text


def test_the_trail_goes_back_page_by_page(console: Console) -> None:
    manager = console.at("manager")
    for number in range(60):
        asked(manager, subscriber=f"customer{number}@netlaputa.example")
    for number in range(1, 61):
        manager.step(number, "withdraw")
    first = manager.get("/en/audit").text
    older = first.split("before=")[1].split('"')[0]
    second = manager.get(f"/en/audit?before={older}").text
    assert first.count("<tr>") == 101
    assert 20 < second.count("<tr>") < 101
    assert "None." in manager.get("/en/audit?text=nothing+like+this").text


def test_charts(console: Console) -> None:
    network = console.at("network")
    for name in ("refused", "senders", "queue"):
        for room, scheme in (("wide", "light"), ("wide", "dark"), ("narrow", "light")):
            answer = network.get(f"/ja/charts/{name}.{room}.{scheme}.svg")
            assert answer.headers["content-type"] == "image/svg+xml"
            assert answer.text.startswith("<svg")
    assert "感染の疑い" in network.get("/ja/charts/senders.wide.light.svg").text
    assert network.get("/ja/charts/other.wide.light.svg").status_code == 404
    labels = re.findall(r">(\d+)</text>", network.get("/ja/charts/queue.wide.light.svg").text)
    assert labels == ["0", "1", "2", "3", "4", "5"], "whole numbers, each once"


def test_so_many_streams_and_no_more(console: Console) -> None:
    visitor = console.at("network")
    opened, lines = [], []
    try:
        for _ in range(STREAMS):
            stream = visitor.client.stream("GET", "/en/live")
            answer = stream.__enter__()
            opened.append(stream)
            lines.append(answer.iter_lines())
            assert next(lines[-1]).startswith("data: ")
        assert visitor.get("/en/live").status_code == 503
    finally:
        for stream in opened:
            stream.__exit__(None, None, None)
