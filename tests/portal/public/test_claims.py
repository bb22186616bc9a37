"""What the claims want to be on a page is there, read in a real Chromium, in both languages, with each policy file.

The words are those that the lab's readers look for (`lab/claims.toml`); a notice is read on its page, at its instant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import PurePosixPath

import pytest
from playwright.sync_api import Browser, Page

from op25b.answers.speech import LANGUAGES, Language
from op25b.lab.claims import Notice, Visit, read_claims
from op25b.lab.reading import missing, plain
from op25b.lab.stage import pools
from op25b.policy.load import load
from op25b.policy.model import Policy, Scope
from op25b.store import Store
from tests.portal.public.conftest import NOW, PROVIDERS, Portal, serving
from tests.support.browser import visit as opened
from tests.support.examples import FOLDER

CLAIMS = read_claims()
ELSEWHERE = "203.0.113.77"
MARKS = re.compile("[■【】：:]")
"""What the plain text of a notice has where a page has a heading, or a row of its own."""


@contextmanager
def pages(provider: str, store: Store, edit: str | None = None, now: datetime = NOW) -> Iterator[Portal]:
    policy = load(CLAIMS.edited((FOLDER / f"{provider}.toml").read_text("utf-8"), edit)).policy
    assert policy is not None
    with serving(policy, store) as portal:
        portal.now = now
        yield portal


def address(policy: Policy, visit: Visit) -> str:
    """Where the visitor comes from."""
    if not isinstance(visit.who, Scope):
        return ELSEWHERE
    prefix = pools(policy, visit)[0].prefixes[0]
    return str(prefix[1])


def came_from(visitor: str) -> dict[str, str]:
    return {"X-Forwarded-For": visitor}


def read(page: Page) -> str:
    """What can be seen, with the words of pictures."""
    text: str = page.evaluate("document.body.innerText")
    pictures: list[str] = page.evaluate("[...document.querySelectorAll('svg title')].map(each => each.textContent)")
    return plain(" ".join([text, *pictures]))


def filled(page: Page, fill: dict[str, str]) -> None:
    """The form of the page, as somebody fills it in and sends it."""
    form = page.locator("main form").first
    for name, value in fill.items():
        field = form.locator(f'[name="{name}"]').first
        if field.evaluate("each => each.tagName") == "SELECT":
            field.select_option(value)
        elif field.get_attribute("type") == "radio":
            form.locator(f'[name="{name}"][value="{value}"]').check()
        else:
            field.fill(value)
    form.locator("button").first.click()
    page.wait_for_selector("#answer .answer")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_pages_say_what_the_claims_want(provider: str, language: Language, store: Store, browser: Browser) -> None:
    wrong = []
    with pages(provider, store) as portal:
        for claim in CLAIMS.of(provider):
            for visit in claim.visits:
                with opened(browser, headers=came_from(address(portal.policy, visit))) as window:
                    page = window.page
                    page.goto(f"{portal.url}/{language}/{visit.page}")
                    if visit.fill:
                        filled(page, visit.fill)
                    lacking = missing(read(page), visit.words(language))
                    links = page.eval_on_selector_all("a", "all => all.map(each => each.getAttribute('href'))")
                targets = {str(PurePosixPath(link.partition("#")[0])) for link in links if link}
                away = [link for link in visit.links if f"/{language}/{link}" not in targets]
                wrong += [f"{claim.id} {visit.page}: {each}" for each in (lacking, *away) if each]
    assert wrong == []


NOTICES = [(claim.id, claim.provider, notice) for claim in CLAIMS.claims for notice in claim.notices]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("claim", "provider", "notice"), NOTICES, ids=[f"{i[0]}-{i[2].stage}" for i in NOTICES])
def test_the_page_of_a_notice_says_it(
    claim: str, provider: str, notice: Notice, language: Language, store: Store, browser: Browser
) -> None:
    said = notice.words(language)
    urls = [each for each in said if each.startswith("https:")]
    wanted = [MARKS.sub(" ", each) for each in said if each not in urls]
    with (
        pages(provider, store, notice.edit, notice.at) as portal,
        opened(browser, headers=came_from(ELSEWHERE)) as window,
    ):
        window.page.goto(f"{portal.url}/{language}/notices/{notice.phase}")
        assert missing(plain(MARKS.sub(" ", read(window.page))), wanted) is None, claim
        for url in urls:
            assert window.page.locator(f'main a[href="{url}"]').count() == 1
