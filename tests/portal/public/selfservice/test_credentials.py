"""User name and password from the pages (claims I14 to I17)."""

from __future__ import annotations

import re

import pytest

from op25b.store import Store
from op25b.store.audit import trail
from op25b.subscribers.accounts import Accounts
from op25b.subscribers.credentials.acceptances import Acceptances, Notice
from op25b.subscribers.credentials.reissues import Reissues
from op25b.subscribers.exemptions.desk import By
from tests.portal.public.conftest import example
from tests.portal.public.selfservice.conftest import IN_APRIL, POP_PASSWORD, TARO, SelfService, Visitor, serving

LETTER = {"address": TARO, "name": "山田太郎", "contract": "C-100", "postal": "福岡市1-1"}


def test_each_brand_has_a_page_of_its_own(taro: Visitor) -> None:
    overview = taro.open("/ja/credentials")
    for brand in ("infonia", "imart"):
        assert f'href="/ja/credentials/{brand}"' in overview
        assert f"{brand}のお客さま" in taro.open(f"/ja/credentials/{brand}")
    assert taro.client.get("/ja/credentials/laputa").status_code == 404


def test_it_says_what_counts_and_that_it_is_free_and_needs_the_pop_password(taro: Visitor) -> None:
    page = taro.open("/en/credentials")
    assert "that are printed on it" in page
    assert "at once and free of charge. You need your present POP password" in page
    page = taro.open("/ja/credentials")
    assert "承諾通知書に記載されている" in page
    assert "その場ですぐに、無料で発行いたします。お申し込みには、現在のPOPパスワードが必要です" in page


def test_the_pop_password_gives_both_at_once_and_once(pages: SelfService, taro: Visitor) -> None:
    answer = taro.apply()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    user_name, password, server = taro.codes
    assert server == "post1.infonia.example"
    assert 'href="/en/setup"' in taro.page, "what to do with them"
    account = Accounts(pages.store).find(user_name)
    assert account is not None
    assert account.senders == {TARO}
    assert password not in taro.open("/en/credentials/imart")
    said = repr(pages.logged)
    assert password not in said
    assert POP_PASSWORD not in said


def test_the_password_is_never_written_back_into_the_form(taro: Visitor) -> None:
    for answer in (taro.apply("wrong-password"), taro.apply("wrong-password", address="taro")):
        assert answer.status_code == 422
        assert "wrong-password" not in answer.text
    assert 'autocomplete="current-password"' in taro.page
    assert 'value="taro"' in taro.page


def test_a_customer_and_nobody_get_the_same_answer(pages: SelfService) -> None:
    known, unknown = pages.visitor(), pages.visitor("198.19.64.8")
    pages_of = []
    for visitor, address in ((known, TARO), (unknown, "nobody@imart.example")):
        for number in range(12):
            answer = visitor.apply(f"guess {number}", address)
        pages_of.append((answer.status_code, re.sub(r'value="[^"]*"', "", answer.text)))
    assert pages_of[0] == pages_of[1]
    assert pages_of[0][0] == 429
    assert answer.headers["retry-after"] == "900"
    assert "Please wait 15 minutes" in pages_of[0][1]
    assert set(pages.slept) == {3.0}


def test_another_brands_address_is_sent_to_its_page(taro: Visitor) -> None:
    answer = taro.apply(address="taro@infonia.example")
    assert answer.status_code == 422
    assert "addresses that end in @imart.example" in answer.text
    assert '<a href="/en/credentials">To the pages for other mail addresses</a>' in answer.text


def test_full_width_letters_are_an_address_all_the_same(taro: Visitor) -> None:
    assert taro.apply(address="ｔａｒｏ＠ｉｍａｒｔ．ｅｘａｍｐｌｅ").status_code == 200


def test_what_is_wrong_is_said_beside_the_field_and_above(taro: Visitor) -> None:
    page = taro.apply("", address="").text
    for name in ("address", "password"):
        assert f'<a href="#{name}">' in page
        assert re.search(
            rf'<input id="{name}"[^>]*aria-describedby="[^"]*{name}-fault[^"]*"[^>]*aria-invalid="true"', page
        )
        assert f'id="{name}-fault"' in page
    assert "<title>Please check:" in page


def test_a_pop_server_that_is_away(pages: SelfService, taro: Visitor) -> None:
    pages.mailboxes.away = True
    assert taro.apply().status_code == 503
    assert "try again in a few minutes" in taro.page


def test_five_new_passwords_a_day(pages: SelfService, taro: Visitor) -> None:
    assert [taro.apply().status_code for _ in range(6)] == [200] * 5 + [429]
    assert "try again tomorrow" in taro.page
    pages.seconds += 86_401
    assert taro.apply().status_code == 200


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("field", ["address", "password"])
def test_a_line_end_goes_nowhere(pages: SelfService, taro: Visitor, field: str, line_end: str) -> None:
    given = {"address": TARO, "password": POP_PASSWORD}
    given[field] += f"{line_end}Bcc: everybody@example.com"
    answer = taro.send("/en/credentials/imart", **given)
    assert answer.status_code in (400, 422)
    assert pages.mailboxes.asked == 0


def test_a_form_of_another_site_changes_nothing(pages: SelfService, taro: Visitor) -> None:
    given = {"address": TARO, "password": POP_PASSWORD}
    assert taro.client.post("/en/credentials/imart", data=given).status_code == 403
    assert taro.client.post("/en/credentials/imart", data={**given, "form_token": "0" * 64}).status_code == 403
    assert pages.mailboxes.asked == 0


def test_the_fee_is_said_before_and_must_be_accepted(pages: SelfService, taro: Visitor) -> None:
    path = "/ja/credentials/imart/reissue"
    page = taro.open(path)
    assert "費用：525円" in page
    assert "2008年3月24日から2008年4月30日までにお申し込みいただいた場合は無料です" in page
    refused = taro.send(path, **LETTER)
    assert refused.status_code == 422
    assert '<a href="#fee">' in refused.text
    assert Reissues(pages.store).listed() == []
    done = taro.send(path, **LETTER, fee="yes")
    assert (done.status_code, "ご同意いただいています" in done.text) == (200, True)
    (asked,) = Reissues(pages.store).listed()
    assert asked.fee is not None
    assert asked.fee.ja.startswith("525円")
    assert (asked.wanted.brand, asked.wanted.name, asked.wanted.language) == ("imart", "山田太郎", "ja")
    assert asked.requested_at == pages.now


def test_it_is_free_in_the_window(pages: SelfService, taro: Visitor) -> None:
    pages.now = IN_APRIL
    path = "/en/credentials/imart/reissue"
    page = taro.open(path)
    assert "If you ask today, it is free of charge" in page
    assert 'name="fee"' not in page
    assert taro.send(path, **LETTER).status_code == 200
    assert [each.fee for each in Reissues(pages.store).listed()] == [None]


def test_letters_are_asked_for_so_often_a_day(pages: SelfService, taro: Visitor) -> None:
    pages.now = IN_APRIL
    answers = [
        taro.send("/en/credentials/imart/reissue", **{**LETTER, "contract": str(number)}) for number in range(11)
    ]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert len(Reissues(pages.store).listed()) == 10


def test_with_the_notice_of_acceptance(pages: SelfService, taro: Visitor) -> None:
    taro.apply()
    user_name = taro.codes[0]
    kept = pages.kept()
    notice = Notice(user_name, "AB-100-200", "shokai")
    Acceptances(pages.store, kept.hasher).add([notice], By("desk", pages.now, "import"))
    path = "/en/credentials/imart/initial"
    assert taro.send(path, address=TARO, number="AB-100-201").status_code == 422
    done = taro.send(path, address=TARO, number="ab100200")
    assert done.status_code == 200
    assert "initial password on your notice" in done.text
    assert "shokai" not in done.text
    account = Accounts(pages.store).find(user_name)
    assert account is not None
    assert kept.hasher.check(account.secret.hash, "shokai")


def test_the_trail_says_who_where_and_why(pages: SelfService, taro: Visitor) -> None:
    taro.apply()
    with pages.store.read() as connection:
        (line,) = trail(connection)
    assert (line.who, line.what, line.at) == ("self-service", "add", pages.now)
    assert "198.19.64.7" in line.why


def test_a_provider_without_self_service_has_no_such_pages(store: Store) -> None:
    with serving(store, example("netlaputa")) as pages:
        visitor = pages.visitor()
        assert "with which you receive mail (POP)" in visitor.open("/en/credentials")
        for path in ("/en/credentials/netlaputa", "/en/credentials/netlaputa/reissue"):
            assert visitor.client.get(path).status_code == 404
            assert visitor.client.post(path).status_code == 404
