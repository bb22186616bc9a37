"""The pages in a real browser, at both widths and in both languages: nothing that axe-core, CSP or a phone minds."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page

from tests.portal.public.selfservice.conftest import POP_PASSWORD, TARO, SelfService
from tests.support.browser import DESK, PHONE, Visit, visit

PAGES = (
    "credentials", "credentials/imart", "credentials/imart/initial", "credentials/imart/reissue", "exemptions",
    "exemptions/subscriber", "exemptions/prefix", "exemptions/destination",
)  # fmt: skip

LOOKS = [
    ("ja", PHONE), ("en", DESK), pytest.param("ja", DESK, marks=pytest.mark.long),
    pytest.param("en", PHONE, marks=pytest.mark.long),
]  # fmt: skip


def _is_well(seen: Visit, name: str) -> None:
    seen.picture(name)
    # a form that was refused is an answer with a status, which the browser's console notes
    seen.complaints = [each for each in seen.complaints if "status of 422" not in each]
    assert seen.faults() == []
    assert seen.page.locator("h1").count() == 1


@pytest.mark.parametrize(("language", "width"), LOOKS)
def test_every_page_and_every_form_as_it_is_refused(
    pages: SelfService, browser: Browser, language: str, width: int
) -> None:
    with visit(browser, width, locale=language) as seen:
        for path in PAGES:
            seen.page.goto(f"{pages.url}/{language}/{path}")
            name = f"{path.replace('/', '-')}-{language}-{width}"
            _is_well(seen, name)
            if seen.page.locator("form").count():
                _send(seen.page)
                assert seen.page.get_by_role("alert").count() == 1
                _is_well(seen, f"{name}-refused")


@pytest.mark.parametrize(("language", "width"), LOOKS)
def test_what_comes_of_them(pages: SelfService, browser: Browser, language: str, width: int) -> None:
    def send(path: str, **fields: str) -> None:
        seen.page.goto(f"{pages.url}/{language}/{path}")
        for name, value in fields.items():
            if name == "fee":
                seen.page.check("#fee")
            else:
                seen.page.fill(f"#{name}", value)
        _send(seen.page)
        _is_well(seen, f"{path.replace('/', '-')}-{language}-{width}-done")

    with visit(browser, width, scheme="dark" if language == "en" else "light", locale=language) as seen:
        send("credentials/imart", address=TARO, password=POP_PASSWORD)
        send("credentials/imart", address=TARO, password=POP_PASSWORD)
        given = {"name": "山田太郎", "address": TARO}
        send("credentials/imart/reissue", **given, contract="C-100", postal="福岡市中央区天神1-1", fee="yes")
        send("exemptions/subscriber", **given, subscriber="taro-ppp", reason="古い複合機から送信します。", fee="yes")
        seen.page.locator("main a[href*='/status/']").click()
        _is_well(seen, f"status-{language}-{width}")


def test_with_the_keyboard_alone(pages: SelfService, browser: Browser) -> None:
    with visit(browser, javascript=False) as seen:
        page = seen.page
        page.goto(f"{pages.url}/ja/credentials/imart")
        page.locator("#address").focus()
        page.keyboard.type("taro")
        page.keyboard.press("Enter")
        link = page.get_by_role("alert").get_by_role("link").first
        link.focus()
        page.keyboard.press("Enter")
        assert page.url.endswith("#address")
        described = page.locator("#address").get_attribute("aria-describedby")
        assert described is not None
        assert re.search("メールアドレス", page.locator(f"#{described}").inner_text())


def _send(page: Page) -> None:
    page.locator("main form button").click()
    page.wait_for_load_state()
