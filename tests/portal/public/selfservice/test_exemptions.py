"""Requests for exemptions from the page (claims I5, I6, I10)."""

from __future__ import annotations

import re
from html import unescape

import pytest

from op25b.store import Store
from op25b.store.audit import By
from op25b.subscribers.exemptions import applicants, listing
from op25b.subscribers.exemptions.desk import Desk
from op25b.subscribers.exemptions.transitions import Step
from tests.portal.public.conftest import example
from tests.portal.public.selfservice.conftest import SelfService, Visitor, serving

COMPANY = {
    "name": "佃製作所", "address": "postmaster@company.example", "prefix": "198.19.80.136/29",
    "domain": "company.example", "reason": "自社のメールサーバー",
}  # fmt: skip
CUSTOMER = {"name": "山田太郎", "address": "taro@imart.example", "subscriber": "taro-ppp", "reason": "古い機器"}


def test_criteria_and_fee_come_first(taro: Visitor) -> None:
    page = unescape(taro.open("/en/exemptions"))
    assert "you accept the fee: The customer bears the cost of running it" in page
    assert "the address is assigned to you for good" in page
    assert "you send for a domain of your own" in page
    for kind in ("subscriber", "prefix", "destination"):
        assert f"/en/exemptions/{kind}" in page
        assert "What we ask for" in taro.open(f"/en/exemptions/{kind}")


def test_a_company_asks_and_sees_where_it_stands(pages: SelfService, taro: Visitor) -> None:
    done = taro.send("/ja/exemptions/prefix", **COMPANY)
    assert done.status_code == 200, done.text
    assert done.headers["cache-control"] == "no-store"
    (link,) = re.findall(r'href="(/ja/exemptions/status/[a-z0-9]+)"', done.text)
    assert "お申し込みを受け付けました" in taro.open(link)
    with pages.store.read() as connection:
        asked = listing.one(connection, 1, pages.now).asked
        (applicant,) = applicants.of(connection, 1)
    assert (asked.prefix, asked.domain, asked.fee_accepted) == ("198.19.80.136/29", "company.example", False)
    assert applicant.contact == "postmaster@company.example"
    Desk(pages.store, pages.policy).close(1, Step.REFUSE, By("desk", pages.now, "internal reasons"))
    page = taro.open(link)
    assert "ご希望に添えませんでした" in page
    assert "internal reasons" not in page


def test_the_fee_must_be_accepted_where_there_is_one(pages: SelfService, taro: Visitor) -> None:
    refused = taro.send("/en/exemptions/subscriber", **CUSTOMER)
    assert (refused.status_code, '<a href="#fee">' in refused.text) == (422, True)
    assert taro.send("/en/exemptions/subscriber", **CUSTOMER, fee="yes").status_code == 200
    with pages.store.read() as connection:
        assert listing.one(connection, 1, pages.now).asked.fee_accepted


def test_no_reference_no_answer(taro: Visitor) -> None:
    for reference in ("2" * 26, "x", "../../etc", "%00", "ａ"):
        assert taro.client.get(f"/en/exemptions/status/{reference}").status_code == 404


def test_who_asks_for_the_same_does_not_learn_of_it(taro: Visitor) -> None:
    first = taro.send("/en/exemptions/subscriber", **CUSTOMER, fee="yes")
    second = taro.send("/en/exemptions/subscriber", **CUSTOMER, fee="yes")

    def plain(text: str) -> str:
        return re.sub(r"[2-9a-hjkmnp-z]{26}", "REFERENCE", text)

    assert (second.status_code, plain(second.text)) == (first.status_code, plain(first.text))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prefix", "198.19.80.0/8"), ("prefix", "8.8.8.8"), ("prefix", "mail.company.example"), ("prefix", ""),
        ("domain", "nowhere"), ("domain", ""), ("address", "postmaster"), ("reason", ""), ("reason", "x" * 2001),
        ("reason", "from \u202ertl"),
        ("name", "佃\nBcc: x@example.com"), ("name", "x" * 201),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_the_field(pages: SelfService, taro: Visitor, field: str, value: str) -> None:
    answer = taro.send("/en/exemptions/prefix", **{**COMPANY, field: value})
    assert answer.status_code == 422
    assert f'id="{field}-fault"' in answer.text
    with pages.store.read() as connection:
        assert listing.listed(connection, pages.now) == []


def test_so_many_a_day(taro: Visitor) -> None:
    answers = [
        taro.send("/en/exemptions/subscriber", **{**CUSTOMER, "subscriber": f"ppp{number}"}, fee="yes").status_code
        for number in range(11)
    ]
    assert answers == [200] * 10 + [429]


def test_where_none_are_offered_it_says_so(store: Store) -> None:
    policy = example("infonia")
    terms = policy.exemption_terms.model_copy(update={"offered": False})
    with serving(store, policy.model_copy(update={"exemption_terms": terms})) as pages:
        visitor = pages.visitor()
        assert "We do not offer exemptions" in visitor.open("/en/exemptions")
        assert visitor.client.get("/en/exemptions/prefix").status_code == 404
