"""What a page says, as blocks: one content for HTML, plain text, mail and print.

Every text is in the language of the page already and holds no markup. Who renders them escapes.
"""

from __future__ import annotations

from dataclasses import dataclass

from op25b.policy.model import ContactKind


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Steps:
    """What to do, one after the other."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True)
class Definitions:
    """Pairs of a word and what it means, or of a setting and its value."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Link:
    """A link to a page of the portal by its key (and a section of it), or to an address elsewhere."""

    text: str
    page: str = ""
    section: str = ""
    url: str = ""


@dataclass(frozen=True)
class Sample:
    """A piece of a configuration file. `language` names its syntax, as `postfix` or `exim`."""

    caption: str
    language: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A drawing. `caption` says the same in words; `svg` is a whole <svg> element in the colour of the text."""

    key: str
    caption: str
    svg: str


@dataclass(frozen=True)
class ContactWay:
    """One way to reach the provider. `taken` says in words when, `href` is what a link to it opens, if any."""

    kind: ContactKind
    label: str
    address: str
    taken: str
    href: str = ""


@dataclass(frozen=True)
class Contacts:
    """The ways to reach the provider; `hours` and `now` say when the desk is open, and whether it is."""

    ways: tuple[ContactWay, ...]
    hours: str = ""
    now: str = ""


@dataclass(frozen=True)
class Question:
    """A question as a person asks it, and its answer. `key` is an anchor within the page."""

    key: str
    question: str
    blocks: tuple[Block, ...]


Block = Paragraph | Steps | Bullets | Definitions | Link | Sample | Picture | Contacts | Question


@dataclass(frozen=True)
class Section:
    """A part of a page under a heading. `key` is an anchor within the page."""

    key: str
    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A page: `about`, `affected`, `avoid`, `questions`, `glossary`, `contact` or `trouble`."""

    key: str
    title: str
    sections: tuple[Section, ...]
