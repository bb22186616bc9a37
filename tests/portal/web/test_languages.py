"""The language that a browser asks for."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from op25b.portal.web import languages


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "ja"),
        ("ja", "ja"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("de-DE,de;q=0.9", "ja"),
        ("fr,en;q=0.5,ja;q=0.4", "en"),
        ("ja;q=0.4, EN-us ; q=0.5", "en"),
        ("ja;q=0,en;q=0.1", "en"),
        ("*", "ja"),
        ("ja;q=0.2,*;q=0.5", "en"),
        ("en;q=2", "ja"),
        ("en;q=x, \x00", "ja"),
        ("," * 5000 + "en", "ja"),
    ],
)
def test_preferred(accept: str, language: str) -> None:
    assert languages.preferred(accept) == language


def request(path: str, query: bytes = b"", method: str = "GET") -> Request:
    return Request({"type": "http", "method": method, "path": path, "query_string": query, "headers": []})


def test_the_same_page_in_the_other_language() -> None:
    assert languages.turned(request("/ja/about"))["en"] == "/en/about"
    assert languages.turned(request("/en/affected", b"server=a%20b"))["ja"] == "/ja/affected?server=a%20b"
    assert languages.turned(request("/ja/")) == {"ja": "/ja/", "en": "/en/"}
    assert languages.turned(request("/ja")) == {"ja": "/ja/", "en": "/en/"}


@pytest.mark.parametrize("path", ["/", "//elsewhere.example/", "/de/about", "/static/x"])
def test_what_has_no_language_turns_to_the_first_page(path: str) -> None:
    assert languages.turned(request(path)) == {"ja": "/ja/", "en": "/en/"}


def test_an_answer_to_a_form_turns_to_the_first_page() -> None:
    assert languages.turned(request("/ja/trouble", method="POST"))["en"] == "/en/"


def test_a_path_is_quoted_again() -> None:
    assert languages.turned(request('/ja/"><b>'))["en"] == "/en/%22%3E%3Cb%3E"
