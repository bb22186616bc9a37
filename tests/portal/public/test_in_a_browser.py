"""The pages in a real Chromium: looks, keyboard, no JavaScript, accessibility, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from playwright.sync_api import Browser, Page, expect

from op25b.store import upgrade
from op25b.store.engine import Store
from tests.portal.public.conftest import PROVIDERS, Portal, example, serving
from tests.support.browser import DESK, PHONE, Visit, visit

PAGES = (
    "", "affected", "trouble", "trouble/steps", "about", "avoid", "questions", "glossary", "contact", "check", "doctor",
)  # fmt: skip
ANSWERS = (
    "affected?line=here&port=25",
    "affected?line=here&address=x&host=a%20b",
    "trouble/steps?symptom=suddenly-cannot-send&uses=mail-program&server=other&port=25",
)
LANGUAGES = ("ja", "en")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"
    upgrade(url)
    store = Store(url)
    with serving(example("netlaputa"), store) as portal:
        yield portal
    store.close()


def opened(portal: Portal, seen: Visit, path: str) -> Page:
    seen.page.goto(f"{portal.url}/{path}")
    return seen.page


CUSTOMER = {"X-Forwarded-For": "198.18.0.9"}


@pytest.mark.parametrize(("language", "width", "scheme"), [("ja", PHONE, "light"), ("en", DESK, "dark")])
def test_every_page_is_well(served: Portal, browser: Browser, language: str, width: int, scheme: str) -> None:
    with visit(browser, width, scheme=scheme, headers=CUSTOMER) as seen:  # type: ignore[arg-type]
        for path in (*PAGES, *ANSWERS):
            page = opened(served, seen, f"{language}/{path}")
            seen.picture(f"{language}-{path.partition('?')[0].replace('/', '-') or 'home'}-{width}-{scheme}")
            assert seen.faults() == [], path
            assert page.get_attribute("html", "lang") == language


@pytest.mark.long
@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_page_of_every_provider_is_well(provider: str, store: Store, browser: Browser) -> None:
    policy = example(provider)
    visitors = [str(pool.prefixes[0][0]) for pool in policy.pools] + ["203.0.113.80", "unknown"]
    with serving(policy, store) as portal:
        for language, width, scheme in product(LANGUAGES, (PHONE, DESK), ("light", "dark")):
            with visit(browser, width, scheme=scheme, headers={"X-Forwarded-For": visitors[0]}) as seen:
                for path in (*PAGES, *ANSWERS):
                    opened(portal, seen, f"{language}/{path}")
                    name = path.partition("?")[0].replace("/", "-") or "home"
                    seen.picture(f"{provider}-{language}-{name}-{width}-{scheme}")
                    assert seen.faults() == [], path
        for visitor in visitors:
            with visit(browser, PHONE, headers={"X-Forwarded-For": visitor}) as seen:
                opened(portal, seen, "ja/")
                assert seen.faults() == [], visitor


@pytest.mark.parametrize("javascript", [True, False])
def test_am_i_affected_with_and_without_javascript(served: Portal, browser: Browser, javascript: bool) -> None:
    with visit(browser, PHONE, javascript=javascript, headers=CUSTOMER) as seen:
        page = opened(served, seen, "en/affected")
        page.get_by_label("587").check()
        page.get_by_role("button", name="Show the answer").click()
        expect(page.locator("#answer")).to_contain_text("The restriction does not affect you.")
        assert "port=587" in page.url
        assert page.get_by_label("587").is_checked()
        page.get_by_label("Its IP address").fill("198.18.0.300")
        page.get_by_role("button", name="Show the answer").click()
        expect(page.get_by_label("Its IP address")).to_have_attribute("aria-invalid", "true")
        page.get_by_role("link", name="日本語").click()
        expect(page.get_by_label("回線のIPアドレス")).to_have_value("198.18.0.300")
        assert seen.complaints == []
        assert seen.elsewhere() == []


@pytest.mark.parametrize("javascript", [True, False])
def test_the_causes_step_by_step(served: Portal, browser: Browser, javascript: bool) -> None:
    with visit(browser, PHONE, javascript=javascript, headers=CUSTOMER) as seen:
        page = opened(served, seen, "en/trouble")
        page.get_by_role("link", name="Find the cause step by step").click()
        for choice in ("I suddenly cannot send mail.", "A mail program", "Another one", "25, or I do not know"):
            page.get_by_label(choice, exact=True).check()
            page.get_by_role("button", name="Next").click()
        expect(page.locator("#answer")).to_contain_text("Cause 1: Netlaputa's own OP25B")
        page.get_by_label("No, go on").check()
        page.get_by_role("button", name="Next").click()
        expect(page.locator("#answer")).to_contain_text("Cause 4")
        page.get_by_label("No, go on").check()
        page.get_by_role("button", name="Next").click()
        expect(page.locator("#answer")).to_contain_text("Cause 5")
        expect(page.get_by_role("link", name="Start again")).to_be_visible()
        assert seen.complaints == []


@pytest.mark.parametrize("javascript", [True, False])
def test_a_check_of_a_server_that_is_not_there(served: Portal, browser: Browser, javascript: bool) -> None:
    with visit(browser, PHONE, javascript=javascript, headers=CUSTOMER) as seen:
        page = opened(served, seen, "en/trouble")
        page.get_by_label("Name of the sending server").fill("smtp.example.com")
        page.get_by_role("button", name="Check it").click()
        expect(page.locator("#check-host-fault")).to_contain_text("There is no server of this name.")
        expect(page.get_by_label("Name of the sending server")).to_have_value("smtp.example.com")


def test_by_keyboard_alone(served: Portal, browser: Browser) -> None:
    with visit(browser, DESK, headers=CUSTOMER) as seen:
        page = opened(served, seen, "en/affected")
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        expect(focused).to_have_text("Skip to the text")
        expect(focused).to_be_in_viewport()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_attribute("id", "line")
        outline = page.locator(":focus").evaluate("element => getComputedStyle(element).outlineStyle")
        assert outline == "solid"
        for _ in range(5):
            page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_attribute("id", "uses")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#answer")).to_contain_text("The restriction affects you")


def test_in_print_there_is_the_text_alone(served: Portal, browser: Browser) -> None:
    with visit(browser, DESK) as seen:
        page = opened(served, seen, "en/questions")
        page.emulate_media(media="print")
        expect(page.get_by_role("navigation").first).to_be_hidden()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.pdf()[:5] == b"%PDF-"
