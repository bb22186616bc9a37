"""A notice as a message: what the parser of the standard library makes of it, and what never gets into its header."""

from __future__ import annotations

from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

import pytest

from op25b.answers.speech import LANGUAGES, Language, Speaker
from op25b.rollout.mail import Rendered, Sender, compose
from op25b.rollout.recipients import Person
from tests.rollout.conftest import texts

AT = datetime.fromisoformat("2010-10-26T09:00:00+09:00")
SENDER = Sender("NMTnet", "notice@nmtnet.example", "info@nmtnet.example")


def parsed(octets: bytes) -> EmailMessage:
    message = message_from_bytes(octets, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def test_of_both_languages(speakers: dict[Language, Speaker]) -> None:
    made = texts("nmtnet", "all-dynamic", "2010-10-26T00:00:00+09:00", speakers)
    person = Person("n1", "taro@friends.example", LANGUAGES, "徳島 太郎", "", (), "")
    octets = compose(made.mail(person), SENDER, person.name, person.email, "op25b-once.1", AT)
    assert octets.isascii()
    assert octets.count(b"\n") == octets.count(b"\r\n")
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    message = parsed(octets)
    assert not message.defects
    assert str(message["To"]) == "徳島 太郎 <taro@friends.example>"
    assert str(message["From"]) == "NMTnet <notice@nmtnet.example>"
    assert message["Reply-To"].addresses[0].addr_spec == "info@nmtnet.example"
    assert message["Message-ID"] == "<op25b-once.1@nmtnet.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "ja, en"
    assert message["Date"].datetime == AT
    assert "実施予定" in message["Subject"]
    assert "is going to be restricted" in message["Subject"]
    assert message.get_content_type() == "multipart/alternative"
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert "あらためてお知らせします" in plain.get_content()  # type: ignore[attr-defined]
    assert "another notice" in html.get_content()  # type: ignore[attr-defined]


def test_the_html_fetches_nothing_and_runs_nothing(speakers: dict[Language, Speaker]) -> None:
    made = texts("nmtnet", "all-dynamic", "2010-10-26T00:00:00+09:00", speakers)
    found: list[tuple[str, dict[str, str | None]]] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Tags().feed(made.mail(Person("n1", "a@b.example", LANGUAGES, "", "", (), "")).html)
    assert {tag for tag, _ in found}.isdisjoint({"img", "script", "link", "iframe", "object", "form"})
    assert {name for _, attributes in found for name in attributes}.isdisjoint(
        {"src", "onclick", "style", "background"}
    )
    assert [attributes["lang"] for tag, attributes in found if tag == "div"] == ["ja", "en"]


@pytest.mark.parametrize("name", ["Taro\r\nBcc: all@b.example", "Taro\nX: y"])
def test_a_line_break_never_comes_into_the_header(name: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)invalid|linefeed|CR"):
        compose(Rendered("ja", "s", "p", "<p>h"), SENDER, name, "a@b.example", "k", AT)


@pytest.mark.parametrize("name", ['Pat "the cat" O\'Brien, Jr.', "=?utf-8?q?x?=", "阿波" * 40, "a@b.example", "(x)"])
def test_odd_names_stay_names(name: str) -> None:
    message = parsed(compose(Rendered("ja", "s", "p", "<p>h"), SENDER, name, "a@b.example", "k", AT))
    assert [address.addr_spec for address in message["To"].addresses] == ["a@b.example"]
