"""Pure: a web page as its reader has it before him: the words in their order, the links, the forms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

_UNSEEN = {"script", "style", "template", "head"}
_FIELDS = {"input", "select", "textarea", "button"}


@dataclass
class Form:
    """`fields`: those that have a name, with the value that they are sent with when nobody changes them."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Page:
    """`text`: what can be read, pictures' alternative texts included, white space made one space."""

    text: str
    links: tuple[str, ...]
    forms: tuple[Form, ...]


def read(html: str) -> Page:
    """The page that this text is."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return Page(plain("".join(reader.words)), tuple(reader.links), tuple(reader.forms))


def missing(text: str, words: Sequence[str]) -> str | None:
    """The first of some words that does not come after the ones before it; None: all are there, in this order."""
    at = 0
    for each in words:
        found = text.find(plain(each), at)
        if found < 0:
            return each
        at = found + 1
    return None


def plain(text: str) -> str:
    """With white space made one space."""
    return re.sub(r"\s+", " ", text).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._unseen = 0
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self._unseen += tag in _UNSEEN
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        elif tag == "img":
            self.words.append(f" {said.get('alt', '')} ")
        elif tag == "form":
            self.forms.append(Form(said.get("action", ""), said.get("method", "get").lower()))
        elif tag in _FIELDS and self.forms and said.get("name"):
            self._field(tag, said)
        elif tag == "option" and self.forms and self._select and "selected" in said:
            self.forms[-1].fields[self._select] = said.get("value", "")
        if tag not in ("b", "i", "em", "strong", "a", "span", "code", "bdi", "wbr", "ruby", "rt"):
            self.words.append(" ")

    def _field(self, tag: str, said: dict[str, str]) -> None:
        kind = said.get("type", "")
        if tag == "select":
            self._select = said["name"]
        if kind in ("checkbox", "radio") and "checked" not in said:
            return
        if tag != "button" and kind not in ("submit", "button"):
            self.forms[-1].fields.setdefault(said["name"], said.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN
        if tag not in ("b", "i", "em", "strong", "a", "span", "code", "bdi", "ruby", "rt"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words.append(data)
