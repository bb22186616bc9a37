"""What all pages have: languages, headers, the frame, and pages for what goes wrong."""

from __future__ import annotations

import re
import socket

import pytest
from playwright.sync_api import Browser

from op25b.portal.public import application
from op25b.portal.web import templates
from op25b.portal.web.headers import HEADERS
from tests.portal.public.conftest import Portal
from tests.support.browser import visit


def test_the_start_goes_to_the_language_of_the_browser(portal: Portal) -> None:
    with portal.client() as client:
        answer = client.get("/", headers={"Accept-Language": "en-GB"})
        assert (answer.status_code, answer.headers["location"]) == (307, "/en/")
        assert client.get("/").headers["location"] == "/ja/"


@pytest.mark.parametrize("path", ["/", "/ja/", "/en/nowhere", "/static/op25b.css"])
def test_headers(portal: Portal, path: str) -> None:
    with portal.client() as client:
        headers = client.get(path).headers
        assert {name: headers.get(name) for name in HEADERS} == HEADERS
        assert "server" not in headers


def test_static_files_are_kept_for_ever_under_the_name_of_their_content(portal: Portal) -> None:
    with portal.client() as client:
        found = re.findall(r'"(/static/[^"]+)"', client.get("/ja/").text)
        assert len(found) == 3
        for url in found:
            answer = client.get(url)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]


def test_no_such_page_in_the_language_of_the_path_or_the_browser(portal: Portal) -> None:
    with portal.client() as client:
        assert "There is no such page" in client.get("/en/nowhere").text
        assert "ページが見つかりません" in client.get("/ja/nowhere").text
        assert "There is no such page" in client.get("/de/", headers={"Accept-Language": "en"}).text
        assert client.get("/de/").status_code == 404


def test_another_method(portal: Portal) -> None:
    with portal.client() as client:
        answer = client.post("/en/")
        assert (answer.status_code, "This page does not work that way" in answer.text) == (405, True)


def test_a_body_that_is_too_large(portal: Portal) -> None:
    with portal.client() as client:
        answer = client.post("/en/", content=b"x" * 70_000)
        assert (answer.status_code, "That was too much" in answer.text) == (413, True)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /ja/%ff%fe HTTP/1.1", b"404"),
        (b"GET /ja/%zz HTTP/1.1", b"404"),
        (b"GET /ja/..%2f..%2fetc%2fpasswd HTTP/1.1", b"404"),
        (b"GET /static/..%2f..%2fbase.html HTTP/1.1", b"404"),
        (b"GET //elsewhere.example/ HTTP/1.1", b"404"),
        (b"GET http://elsewhere.example/ja/ HTTP/1.1", b"404"),
        (b"GET /ja/\xff HTTP/1.1", b"400"),
        (b"GET /ja/?%00 HTTP/1.1", b"200"),
    ],
)
def test_weird_targets(portal: Portal, line: bytes, status: bytes) -> None:
    assert _raw(portal, line + b"\r\nHost: x\r\nConnection: close\r\n\r\n").split()[1] == status


@pytest.mark.parametrize("host", [b"", b"elsewhere.example", b"\xe3\x81\x82", b"a b", b"x" * 5000, b"<script>"])
def test_whatever_the_host_is_said_to_be_it_is_nowhere_in_the_answer(portal: Portal, host: bytes) -> None:
    for path in (b"/ja/", b"/", b"/ja/nowhere"):
        answer = _raw(portal, b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
        assert answer.split()[1] in (b"200", b"307", b"404", b"400")
        assert len(host) < 4 or host not in answer


def _raw(portal: Portal, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", portal.port), 10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_fault_page_in_a_browser(portal: Portal, browser: Browser, language: str) -> None:
    with visit(browser, 390) as seen:
        seen.page.goto(f"{portal.url}/{language}/nowhere")
        seen.picture(f"fault-{language}")
        seen.complaints = [each for each in seen.complaints if "404" not in each]
        assert seen.faults() == []
        assert seen.page.get_attribute("html", "lang") == language


def test_no_template_stands_in_the_way_of_another() -> None:
    names = [path.name for folder in [*application.TEMPLATES, templates.OURS] for path in folder.iterdir()]
    assert sorted(names) == sorted(set(names))
