"""A page as plain text, for the plain part of a mail and for a terminal. Pure."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Iterator

from op25b.answers.blocks import (
    Block,
    Bullets,
    Contacts,
    Definitions,
    Link,
    Page,
    Paragraph,
    Picture,
    Question,
    Sample,
    Section,
    Steps,
)
from op25b.answers.speech import Speaker

COLUMNS = 72
"""RFC 5322 2.1.1 asks for 78 at most. Japanese has no spaces to break at: whoever shows it breaks it."""

Address = Callable[[Link], str | None]
"""Where a link leads, whole; None: it leads nowhere for who reads this."""


def text(page: Page, say: Speaker, address: Address) -> str:
    """The page, lines ended by a line feed."""
    rule = "=" * min(_width(page.title), COLUMNS)
    parts = ["\n".join([*_wrapped(page.title, "", ""), rule])]
    parts += ["\n\n".join(_section(section, say, address)) for section in page.sections]
    return "\n\n\n".join(parts) + "\n"


def _section(section: Section, say: Speaker, address: Address) -> Iterator[str]:
    yield f"■ {section.heading}" if say.language == "ja" else f"{section.heading}\n{'-' * len(section.heading)}"
    for block in section.blocks:
        if found := "\n".join(_lines(block, say, address)):
            yield found


def _lines(block: Block, say: Speaker, address: Address) -> Iterator[str]:
    match block:
        case Paragraph(words):
            yield from _wrapped(words, "", "")
        case Steps(items):
            for number, item in enumerate(items, 1):
                yield from _wrapped(item, f"{number}. ", "   ")
        case Bullets(items):
            for item in items:
                yield from _wrapped(item, "・" if say.language == "ja" else "- ", "  ")
        case Definitions(pairs):
            for word, meaning in pairs:
                yield f"【{word}】" if say.language == "ja" else f"{word}:"
                yield from _wrapped(meaning, "  ", "  ")
        case Link() if (where := address(block)) is not None:
            yield block.text
            yield f"  {where}"
        case Contacts():
            yield from _contacts(block, say)
        case Sample():
            yield block.caption
            yield textwrap.indent(block.text, "    ")
        case Picture():
            yield from _wrapped(block.caption, "", "")
        case Question():
            yield from _wrapped(block.question, "Q. ", "   ")
            for inner in block.blocks:
                yield from _lines(inner, say, address)


def _contacts(block: Contacts, say: Speaker) -> Iterator[str]:
    for way in block.ways:
        words = say("{way}: {address} ({taken})", way=way.label, address=way.address, taken=way.taken)
        yield from _wrapped(words, "", "  ")
    if block.hours:
        yield from _wrapped(block.hours, "", "  ")


def _wrapped(words: str, first: str, other: str) -> list[str]:
    if not words.isascii():
        return [first + words]
    return textwrap.wrap(
        words,
        COLUMNS,
        initial_indent=first,
        subsequent_indent=other,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


def _width(words: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in words)
