"""The pages for people: over HTTP, and in a real browser."""

from __future__ import annotations

import plistlib
import re
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
import trustme
from playwright.sync_api import Browser

from op25b.portal.public.application import application
from op25b.portal.public.config import Signing
from op25b.portal.setup import mobileconfig
from op25b.portal.setup.programs import PROGRAMS
from op25b.processes import listening
from op25b.store import Store
from tests.portal.public.conftest import PROVIDERS, Portal, example, serving
from tests.portal.setup.test_mobileconfig import keys
from tests.support.browser import WIDTHS, visit
from tests.support.web import running

DOMAINS = {name: f"{name}.example" for name in PROVIDERS} | {"sonet": "aa2.sonet.example"}
WORDS = {
    "ja": ("3つを、あわせて", "受信の設定はそのまま"),
    "en": ("these three together", "leave the settings for receiving as they are"),
}
HOSTS = {
    "netlaputa": "mail.netlaputa.example",
    "fitweb": "smtp.fitweb.example",
    "nmtnet": "smtp.nmtnet.example",
    "sonet": "mail.aa2.sonet.example",
    "infonia": "post1.infonia.example",
}


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("name", PROVIDERS)
def test_every_page_of_every_provider(store: Store, name: str, language: str) -> None:
    """Claims I1, L9: server name, SMTP AUTH and port together, for each common program."""
    with serving(example(name), store) as portal, portal.client() as client:
        for key in ("", *(f"/{program.key}" for program in PROGRAMS)):
            page = client.get(f"/{language}/setup{key}", params={"domain": DOMAINS[name]})
            assert page.status_code == 200, key
            assert HOSTS[name] in page.text
            assert "SMTP AUTH" in page.text
            assert "587" in page.text
            assert all(words in page.text for words in WORDS[language])


def test_an_address_becomes_its_domain(client: httpx.Client) -> None:
    answer = client.get("/ja/setup", params={"address": " Ｔａｒｏ@Netlaputa.Example"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ja/setup?domain=netlaputa.example")


@pytest.mark.parametrize("address", ["", "x", "taro@elsewhere.example", '"><script>alert(1)</script>@x.example'])
def test_an_address_of_others(client: httpx.Client, address: str) -> None:
    answer = client.get("/en/setup", params={"address": address})
    assert answer.status_code == 404
    assert "not an address for which we have settings" in answer.text
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("address", ["x\r\nSet-Cookie: a=b@netlaputa.example", "taro@netlaputa.example\r\nX-A: b"])
def test_no_line_of_a_header_comes_from_a_visitor(client: httpx.Client, address: str) -> None:
    for path in ("/ja/setup", "/ja/setup/mail.mobileconfig"):
        answer = client.get(path, params={"address": address, "domain": address})
        assert "x-a" not in answer.headers
        assert "a=b" not in answer.headers.get("set-cookie", "")


def test_no_such_program(client: httpx.Client) -> None:
    assert client.get("/ja/setup/lotus-notes").status_code == 404


@pytest.mark.parametrize("name", ["sonet", "infonia"])
def test_who_has_a_choice_is_asked(store: Store, name: str) -> None:
    with serving(example(name), store) as portal, portal.client() as client:
        page = client.get("/en/setup")
        assert "Tell us your mail address" in page.text
        answer = client.get("/en/setup/thunderbird")
        assert (answer.status_code, answer.headers["location"]) == (303, "/en/setup")


def test_a_configuration_profile(client: httpx.Client) -> None:
    answer = client.get("/ja/setup/mail.mobileconfig", params={"address": "taro@netlaputa.example"})
    assert answer.headers["content-type"] == mobileconfig.TYPE
    assert answer.headers["content-disposition"] == 'attachment; filename="mail.mobileconfig"'
    assert plistlib.loads(answer.content)["PayloadOrganization"] == "ネットラピュタ"
    for query in ({}, {"domain": "elsewhere.example"}, {"address": "x@elsewhere.example"}):
        assert client.get("/ja/setup/mail.mobileconfig", params=query).status_code == 404


def test_a_signed_one(portal: Portal, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "root.pem")
    certificate, key = keys(tmp_path, authority)
    context = portal.context()
    signed = replace(
        context, settings=context.settings.model_copy(update={"signing": Signing(certificate=certificate, key=key)})
    )
    bound = listening.single(IPv4Address("127.0.0.1"), 0)
    with running(application(signed), bound):
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/en/setup/mail.mobileconfig"
        answer = httpx.get(url, params={"domain": "netlaputa.example"}, timeout=30)
    done = subprocess.run(
        ["openssl", "cms", "-verify", "-inform", "DER", "-CAfile", tmp_path / "root.pem", "-purpose", "any"],
        input=answer.content, capture_output=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0
    assert plistlib.loads(done.stdout)["PayloadType"] == "Configuration"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_in_a_browser(portal: Portal, browser: Browser, language: str, width: int) -> None:
    with visit(browser, width) as seen:
        for key in ("", "/iphone"):
            seen.page.goto(f"{portal.url}/{language}/setup{key}")
            seen.picture(f"setup{key.replace('/', '-')}-{language}-{width}")
            assert seen.faults() == []


def test_the_way_through_without_javascript(store: Store, browser: Browser) -> None:
    with serving(example("sonet"), store) as portal, visit(browser, 390, javascript=False) as seen:
        seen.page.goto(f"{portal.url}/en/setup")
        seen.page.get_by_label("Your mail address").fill("hanako@aa2.sonet.example")
        seen.page.get_by_role("button", name="Show the settings").click()
        assert seen.page.url.endswith("/en/setup?domain=aa2.sonet.example")
        seen.page.get_by_role("link", name="Thunderbird").click()
        assert seen.page.get_by_role("heading", level=1).inner_text() == "Setting up Thunderbird"
        assert "mail.aa2.sonet.example" in seen.page.inner_text("ol.steps")


def test_the_code_leads_to_the_page(portal: Portal, browser: Browser) -> None:
    """The picture is drawn as any camera wants it; the address in it stands beside it."""
    with visit(browser, scheme="dark") as seen:
        seen.page.goto(f"{portal.url}/ja/setup")
        (svg,) = seen.page.locator("main svg").all()
        assert re.search(r'fill="#fff"|fill="white"', svg.inner_html())
        link = seen.page.get_by_role("link", name=re.compile("^http")).first
        assert link.get_attribute("href") == f"{portal.url}/ja/setup?domain=netlaputa.example"
