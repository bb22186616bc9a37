"""Logging in and out over HTTP: what a browser gets, and what a stranger cannot do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from op25b.portal.staff.accounts import Staff
from op25b.portal.staff.login import LIMITS
from op25b.portal.staff.sessions import IDLE
from op25b.store.audit import By
from tests.portal.console.conftest import Console, Visitor
from tests.support.staff import PASSWORD


def fields(console: Console, name: str = "support", **others: str) -> dict[str, str]:
    return {"name": name, "password": PASSWORD, "code": console.people["support"].code(console.now), **others}


def test_whoever_is_not_logged_in_is_sent_to_the_log_in(console: Console) -> None:
    with console.client() as client:
        answer = client.get("/ja/customer?who=taro%40netlaputa.example")
        assert (answer.status_code, answer.headers["location"]) == (
            303, "/ja/log-in?next=%2Fja%2Fcustomer%3Fwho%3Dtaro%2540netlaputa.example",
        )  # fmt: skip
        assert client.get("/").headers["location"] == "/en/"
        assert client.get("/en/").headers["location"] == "/en/log-in?next=%2Fen%2F"


def test_a_log_in_leads_to_where_one_was_going(console: Console) -> None:
    visitor = Visitor(console.client())
    answer = visitor.post("/ja/log-in", fields(console, next="/ja/cases/1?x=1"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/ja/cases/1?x=1")
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("staff="))
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert "expires" not in cookie.lower()
    assert visitor.get("/ja/").status_code == 200


@pytest.mark.parametrize(
    "onward",
    ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example", "/en/\r\nSet-Cookie: a=b", "/en",
     "x", "/en/../", "/en//elsewhere.example", "javascript:alert(1)"],
)  # fmt: skip
def test_a_log_in_leads_nowhere_else(console: Console, onward: str) -> None:
    answer = Visitor(console.client()).post("/en/log-in", fields(console, next=onward))
    assert answer.status_code in (303, 400)
    assert answer.headers.get("location", "/en/") == "/en/"
    assert "a" not in answer.cookies


def test_a_session_is_never_one_that_the_browser_brought(console: Console) -> None:
    """No fixation: what was there before is neither taken over nor let in."""
    visitor = Visitor(console.client())
    visitor.client.cookies.set("staff", "f" * 64, domain="127.0.0.1")
    assert visitor.get("/en/").status_code == 303
    answer = visitor.post("/en/log-in", fields(console))
    given = answer.cookies["staff"]
    assert given != "f" * 64
    stranger = console.client()
    stranger.cookies.set("staff", "f" * 64)
    assert stranger.get("/en/").status_code == 303


def test_each_log_in_has_a_session_of_its_own_and_a_log_out_ends_it(console: Console) -> None:
    one, other = console.at("support"), console.at("support")
    taken = one.client.cookies["staff"]
    assert taken != other.client.cookies["staff"]
    assert one.post("/en/log-out", page="/en/").headers["location"] == "/en/log-in"
    again = console.client()
    again.cookies.set("staff", taken)
    assert again.get("/en/").status_code == 303, "the cookie was kept by somebody"
    assert other.get("/en/").status_code == 200


def test_a_session_ends_after_silence(console: Console) -> None:
    visitor = console.at("support")
    console.now += IDLE + timedelta(seconds=1)
    assert visitor.get("/en/").status_code == 303


def test_what_keeps_itself_up_to_date_does_not_keep_one_logged_in(console: Console) -> None:
    visitor = console.at("support")
    console.now += IDLE - timedelta(minutes=2)
    with visitor.client.stream("GET", "/en/live") as answer:
        assert answer.status_code == 200
        assert next(answer.iter_lines()).startswith("data: ")
    console.now += timedelta(minutes=3)
    assert visitor.get("/en/").status_code == 303


def test_all_that_is_wrong_is_answered_alike(console: Console) -> None:
    """Neither which names there are, nor that a password was right."""
    answers = set()
    for number, wrong in enumerate(({"name": "nobody"}, {"password": "wrong"}, {"code": "000000"})):
        answer = Visitor(console.client()).post("/en/log-in", fields(console, **wrong))
        assert answer.status_code == 403
        body = answer.text.replace(answer.text.split('value="')[1].split('"')[0], "")
        answers.add(body)
        assert "staff" not in answer.cookies, number
    assert len(answers) == 1
    assert not any(PASSWORD in str(line) for line in console.logged)


def test_who_guesses_is_locked_out(console: Console) -> None:
    visitor = Visitor(console.client())
    for number in range(LIMITS.pair):
        assert visitor.post("/en/log-in", fields(console, password=f"guess {number}")).status_code == 403
    assert visitor.post("/en/log-in", fields(console)).status_code == 403


@pytest.mark.parametrize("path", ["/en/log-in", "/en/log-out", "/en/exemptions", "/en/bulletins", "/en/cases/1/close"])
def test_a_form_of_another_site_is_not_taken(console: Console, path: str) -> None:
    visitor = console.at("manager")
    token = visitor.token("/en/")
    for sent, headers in (
        ({}, {}), ({"form_token": "0" * 64}, {}), ({"form_token": token}, {"Origin": "https://elsewhere.example"}),
        ({"form_token": token}, {"Origin": "null"}),
    ):  # fmt: skip
        answer = visitor.client.post(path, data={"x": "y", **sent}, headers=headers)
        assert answer.status_code == 403, (sent, headers)
    assert visitor.get("/en/").status_code == 200, "still logged in"


def test_what_every_answer_carries(console: Console) -> None:
    for answer in (console.client().get("/en/log-in"), console.at("manager").get("/en/audit")):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers


def test_a_role_that_is_taken_away_is_gone_at_once(console: Console) -> None:
    visitor = console.at("abuse")
    assert visitor.get("/en/cases").status_code == 200
    Staff(console.store).remove("abuse", By("root", console.now, "left"))
    assert visitor.get("/en/cases").status_code == 303
