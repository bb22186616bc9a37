"""The console in a real Chromium: log-in with a one-time code, the main flows, and what a machine finds wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page

from tests.portal.console.conftest import Console
from tests.support.browser import DESK, PHONE, Visit, visit
from tests.support.desk import SHOP, TARO
from tests.support.staff import PASSWORD

WORDS = {"ja": ("ログイン", "概要", "ログイン名", "パスワード", "ワンタイムコード"),
         "en": ("Log in", "Overview", "Log-in name", "Password", "One-time code")}  # fmt: skip


def log_in(console: Console, page: Page, name: str, language: str = "en", onward: str = "") -> None:
    console.now += timedelta(seconds=30)
    title, _, *labels = WORDS[language]
    page.goto(f"{console.url}/{language}/{onward}")
    assert "log-in" in page.url
    for label, text in zip(labels, (name, PASSWORD, console.people[name].code(console.now)), strict=True):
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("main").get_by_role("button", name=title).click()


PAGES = {
    "overview": "", "customer": f"customer?who={TARO}", "shop": f"customer?who={SHOP}", "search": f"search?what={TARO}",
    "exemptions": "exemptions", "cases": "cases", "case": "cases/1", "phases": "phases", "bulletins": "bulletins",
    "queue": "queue", "filter": "filter", "audit": "audit", "nobody": "customer?who=nobody", "gone": "cases/99",
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "width"),
    [
        ("ja", DESK), ("en", PHONE), pytest.param("ja", PHONE, marks=pytest.mark.long),
        pytest.param("en", DESK, marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_every_page_is_as_it_should_be(console: Console, browser: Browser, language: str, width: int) -> None:
    with visit(
        browser, width, locale=language, scheme="dark" if language == "en" and width == PHONE else "light"
    ) as at:
        at.page.goto(f"{console.url}/{language}/log-in")
        at.picture(f"log-in-{language}-{width}")
        assert at.faults() == []
        log_in(console, at.page, "manager", language)
        assert at.page.get_by_role("heading", level=1).inner_text() == WORDS[language][1]
        for name, path in PAGES.items():
            look(at, console, f"{language}/{path}", f"{name}-{language}-{width}")


def look(at: Visit, console: Console, path: str, name: str) -> None:
    at.page.goto(f"{console.url}/{path}")
    at.page.wait_for_function("[...document.images].every(image => image.complete || image.loading === 'lazy')")
    at.picture(name)
    # a page that is not there is said to be so on the console of the browser too
    at.complaints = [said for said in at.complaints if "404" not in said]
    assert at.faults() == [], name
    assert at.page.get_by_role("heading", level=1).count() == 1


@pytest.mark.parametrize("javascript", [True, False])
def test_from_a_call_to_an_exemption(console: Console, browser: Browser, javascript: bool) -> None:
    """The shop calls; support looks it up and notes a request; the manager approves it."""
    with visit(browser, javascript=javascript, locale="en") as at:
        page = at.page
        log_in(console, page, "support", onward="cases")
        assert page.url.endswith("/en/cases")
        page.get_by_label("Customer, address, account, number").fill("198.18.8.99")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name="198.18.8.99").click()
        assert page.get_by_role("heading", level=1).inner_text() == SHOP
        page.get_by_role("link", name="Note a request for an exemption").click()
        assert page.get_by_label("Customer", exact=True).input_value() == SHOP
        page.get_by_label("What is sent, and why not in another way").fill("orders, from the shop's own server")
        page.get_by_label("Domain that mail is sent for").fill("shop.example")
        page.get_by_role("button", name="Note the request").click()
        page.locator("summary", has_text="Review").click()
        page.get_by_role("button", name="Review").click()
        assert page.locator("h1 .tag").inner_text() == "under review"
        assert page.locator("summary", has_text="Approve").count() == 0
        number = page.url.rpartition("/")[2]
        page.get_by_role("button", name="Log out").click()
        log_in(console, page, "manager", onward=f"exemptions/{number}")
        page.locator("summary", has_text="Approve").click()
        page.locator("#why-approve").fill("contract seen")
        page.get_by_role("button", name="Approve").click()
        assert page.locator("h1 .tag").inner_text() == "granted"
        assert at.complaints == []
        assert at.elsewhere() == []


def test_the_first_page_keeps_itself_up_to_date(console: Console, browser: Browser) -> None:
    with visit(browser, locale="en") as at:
        log_in(console, at.page, "manager")
        at.page.get_by_text("looking infected: 1").wait_for()
        abuse = console.at("abuse")
        assert abuse.post("/en/cases/1/close", {"seen": "open"}).status_code == 303
        at.page.get_by_text("looking infected: 0").wait_for(timeout=15_000)
        assert at.complaints == []
