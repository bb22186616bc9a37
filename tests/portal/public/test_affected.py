"""Am I affected: what the form offers, and what it says of what it cannot read."""

from __future__ import annotations

import pytest

from op25b.store import Store
from tests.portal.public.conftest import Portal, example, serving
from tests.support.words import visible


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ja", ("IPアドレスの形式ではありません", "サーバー名の形式ではありません")),
        ("en", ("This is not an IP address", "This is not the name of a server")),
    ],
)
def test_what_is_wrong_is_said_in_the_language_of_the_page(portal: Portal, language: str, words: tuple[str]) -> None:
    with portal.client() as client:
        page = visible(client.get(f"/{language}/affected?address=x&host=-").text)
    assert [each for each in words if each not in page] == []


@pytest.mark.parametrize(("provider", "offered"), [("sonet", True), ("infonia", False)])
def test_hosting_is_asked_for_where_there_is_some(provider: str, offered: bool, store: Store) -> None:
    with serving(example(provider), store) as portal, portal.client() as client:
        assert ("Our hosting service" in client.get("/en/affected").text) is offered


@pytest.mark.parametrize(("language", "part"), [("ja", "(お客さまのサブドメイン)"), ("en", "(your sub-domain)")])
@pytest.mark.parametrize(
    "path",
    ["", "about", "affected", "avoid", "questions", "glossary", "trouble", "trouble/steps", "notices/flets-lines"],
)
def test_no_name_of_a_server_is_left_to_fill_in(path: str, language: str, part: str, store: Store) -> None:
    with serving(example("sonet"), store) as portal, portal.client("198.19.0.9") as client:
        page = visible(client.get(f"/{language}/{path}").text)
    assert "{" not in page
    if path in ("", "affected", "avoid", "questions", "trouble", "notices/flets-lines"):
        assert f"mail.{part}.sonet.example" in page
