"""The claims that self-service shows, in a real browser with infonia's own policy, in both languages."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.portal.public.selfservice.conftest import IN_APRIL, SelfService
from tests.support.browser import visit

SHOWN = {
    ("I5", "exemptions"): (
        ("費用をご承諾いただくこと", "query@infonia.example"),
        ("you accept the fee", "query@infonia.example"),
    ),
    ("I6", "exemptions"): (("ほかのポート", "query@infonia.example"), ("another port", "query@infonia.example")),
    ("I10", "exemptions/prefix"): (
        ("固定のIPアドレスが割り当てられていること", "独自ドメイン"),
        ("the address is assigned to you for good", "a domain of your own"),
    ),
    ("I14", "credentials"): (
        (
            "承諾通知書に記載されている、SMTP認証のユーザー名とパスワード",
            "その場ですぐに、無料で",
            "infoniaのお客さま",
            "imartのお客さま",
        ),
        (
            "SMTP AUTH that are printed on it",
            "at once and free of charge",
            "customers of infonia",
            "customers of imart",
        ),
    ),
    ("I15", "credentials/imart"): (("現在のPOPパスワード",), ("Present POP password",)),
    ("I16", "credentials/imart/reissue"): (
        ("郵送", "525円", "2008年3月24日から2008年4月30日まで", "無料です"),
        ("a letter", "525 yen", "from 24 March 2008 to 30 April 2008", "pays nothing"),
    ),
    ("I17", "credentials/infonia/initial"): (
        ("承諾通知書がお手元にある場合", "初期パスワードに戻します", "費用はかかりません"),
        ("If you have the notice of acceptance", "back to the initial one", "free of charge"),
    ),
}


@pytest.mark.parametrize("language", ["ja", "en"])
def test_what_the_pages_say(pages: SelfService, browser: Browser, language: str) -> None:
    with visit(browser, locale=language) as seen:
        for (claim, path), words in SHOWN.items():
            seen.page.goto(f"{pages.url}/{language}/{path}")
            text = seen.page.locator("main").inner_text()
            for each in words[language == "en"]:
                assert each in text, (claim, each, text)


def test_in_the_window_the_letter_is_free(pages: SelfService, browser: Browser) -> None:
    """Claim I16, between 24 March and the end of April."""
    pages.now = IN_APRIL
    with visit(browser) as seen:
        seen.page.goto(f"{pages.url}/ja/credentials/infonia/reissue")
        assert "本日お申し込みいただくと無料です" in seen.page.locator("main").inner_text()
        assert seen.page.locator("#fee").count() == 0
