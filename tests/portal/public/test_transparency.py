"""What everybody may see of the restriction: the policy's phases, counts without names, terms, what is next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Browser
from sqlalchemy import insert

from op25b.portal.desk.counts import HOLD
from op25b.store import Store
from op25b.store.tables import exemptions
from tests.portal.public.conftest import NOW, PROVIDERS, example, serving
from tests.support.browser import DESK, PHONE, visit

DAY = timedelta(days=1)


def granted(store: Store, subscriber: str, review: timedelta, until: timedelta) -> None:
    row = {
        "kind": "subscriber", "subscriber": subscriber, "state": "granted", "reason": "a secret of the customer's",
        "granted_at": NOW - DAY, "from_at": NOW - DAY, "review_at": NOW + review, "until_at": NOW + until,
        "fee_accepted": True, "findings": [], "approvals": [], "requested_by": "desk", "requested_at": NOW,
        "changed_at": NOW, "version": 1,
    }  # fmt: skip
    with store.write() as connection:
        connection.execute(insert(exemptions).values(row))


def test_how_many_exemptions_and_when_the_next_is_reviewed(store: Store) -> None:
    granted(store, "taro@infonia.example", 40 * DAY, 50 * DAY)
    granted(store, "hanako@infonia.example", 12 * DAY, 50 * DAY)
    granted(store, "gone@infonia.example", -2 * DAY, -DAY / 2)
    with serving(example("infonia"), store) as portal, portal.client() as client:
        page = client.get("/en/transparency").text
        assert page.count("<li>") > 6, "conditions are a list"
        assert "exemptions that infonia has set up itself: 1 in force" in page
        japanese = client.get("/ja/transparency").text
    assert "granted: 3, refused: 0, in force: 2" in page
    assert "The next exemption is reviewed on 13 December 2010." in page
    assert "2010年12月13日" in japanese
    assert "・" not in japanese
    assert "1 April 2008" in page, "since when"
    for secret in ("taro", "hanako", "a secret of the customer"):
        assert secret not in page


def test_the_counts_are_a_minute_old_at_most(store: Store) -> None:
    with serving(example("infonia"), store) as portal, portal.client() as client:
        assert "in force: 0" in client.get("/en/transparency").text
        granted(store, "taro@infonia.example", 5 * DAY, 9 * DAY)
        assert "No exemption is due" in client.get("/en/transparency").text
        portal.now += HOLD + timedelta(seconds=1)
        assert "The next exemption is reviewed on 6 December 2010." in client.get("/en/transparency").text


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_in_a_browser(name: str, browser: Browser, store: Store) -> None:
    with serving(example(name), store) as portal:
        for language, width in (("ja", PHONE), ("en", DESK)):
            with visit(browser, width, locale=language) as at:
                at.page.goto(f"{portal.url}/{language}/transparency")
                at.picture(f"transparency-{name}-{language}-{width}")
                assert at.faults() == []
                assert at.page.get_by_role("heading", level=2).count() >= 3
