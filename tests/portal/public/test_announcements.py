"""The notices of phases as pages: the same words as in the mails, in a browser and to a client."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from op25b.answers.speech import LANGUAGES, Language
from op25b.store import Store
from tests.portal.public.conftest import Portal, example, serving
from tests.support.words import visible

WORDS = {
    "ja": ("2011年1月中旬以降", "あらためてお知らせします", "2010年10月26日", "050-0000-0309", "port587"),
    "en": ("mid-January 2011", "another notice", "26 October 2010", "050-0000-0309", "port587"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_nmtnets_tentative_notice_in_a_browser(language: Language, store: Store, browser: Browser) -> None:
    with serving(example("nmtnet"), store) as portal:
        page = browser.new_page()
        page.goto(f"{portal.url}/{language}/notices")
        page.locator("main a").nth(1).click()
        assert page.url == f"{portal.url}/{language}/notices/all-dynamic"
        text = page.locator("main").inner_html()
        for words in WORDS[language]:
            assert words in text
        assert page.locator("h1").count() == 1
        page.close()


def test_each_phase_has_one_while_it_lasts(store: Store) -> None:
    with serving(example("infonia"), store) as portal, portal.client() as client:
        listed = client.get("/en/notices")
        assert "/en/notices/everyone-but-corporate" in listed.text
        assert "has been restricted since 1 April 2008" in visible(listed.text)


@pytest.mark.parametrize("path", ["no-such-phase", "all%0d%0a", "..%2f..", "x" * 2000])
def test_no_other_phase(path: str, portal: Portal) -> None:
    with portal.client() as client:
        assert client.get(f"/ja/notices/{path}").status_code == 404
