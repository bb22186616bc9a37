"""Notices as HTML from the templates of this room: for mail, and for print. Pure but for reading the templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from op25b.answers.blocks import Link, Page
from op25b.answers.speech import Language, Speaker
from op25b.rollout import plain
from op25b.rollout.mail import Rendered

Speakers = Mapping[Language, Speaker]


@dataclass(frozen=True)
class Letterhead:
    """Who writes. `portal`: the address of the provider's pages without a slash at its end, if there are any."""

    provider: Mapping[Language, str]
    portal: str | None


@dataclass(frozen=True)
class Sheet:
    """A letter or a fax to one person: a page in each language, and the address, or the name and the number."""

    pages: Mapping[Language, Page]
    name: str
    lines: Sequence[str]
    number: str


def where(link: Link, language: Language, portal: str | None) -> str | None:
    """The whole address that a link leads to; None where the provider's pages have no known address."""
    if link.url:
        return link.url
    if portal is None:
        return None
    return f"{portal}/{language}/{link.page}" + (f"#{link.section}" if link.section else "")


def mail(pages: Mapping[Language, Page], head: Letterhead, speakers: Speakers) -> Rendered:
    """The texts of a mail; in several languages one after the other."""
    texts = [
        plain.text(page, speakers[language], lambda link, language=language: where(link, language, head.portal))  # type: ignore[misc]
        for language, page in pages.items()
    ]
    return Rendered(
        language=", ".join(pages),
        subject=" / ".join(page.title for page in pages.values()),
        plain=("\n" + "-" * plain.COLUMNS + "\n\n").join(texts),
        html=_rendered("mail.html", speakers, head, pages=pages),
    )


def letter(sheet: Sheet, head: Letterhead, speakers: Speakers, day: Mapping[Language, str]) -> str:
    """A letter for an envelope with a window. `day`: the date that is on it."""
    return _rendered("letter.html", speakers, head, sheet=sheet, day=day)


def fax(sheet: Sheet, head: Letterhead, speakers: Speakers, day: Mapping[Language, str]) -> str:
    """A fax: black on white, under a head that says whom it is for."""
    return _rendered("fax.html", speakers, head, sheet=sheet, day=day)


def _rendered(template: str, speakers: Speakers, head: Letterhead, **values: Any) -> str:
    return _environment().get_template(template).render(speakers=speakers, head=head, where=where, **values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("op25b.rollout"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
