"""Whether a text for customers is well said, and the texts of blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

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


def texts(blocks: Iterable[Block]) -> Iterator[str]:
    """Every text of some blocks, in order."""
    for block in blocks:
        match block:
            case Paragraph() | Link():
                yield block.text
            case Steps() | Bullets():
                yield from block.items
            case Definitions():
                yield from (text for pair in block.pairs for text in pair)
            case Sample() | Picture():
                yield block.caption
            case Contacts():
                yield from (text for way in block.ways for text in (way.label, way.address, way.taken))
                yield from filter(None, (block.hours, block.now))
            case Question():
                yield block.question
                yield from texts(block.blocks)


def said(sections: Iterable[Section]) -> str:
    """All that some sections say, a line for each text."""
    return "\n".join(text for section in sections for text in (section.heading, *texts(section.blocks)))


def whole(page: Page) -> str:
    """All that a page says."""
    return f"{page.title}\n{said(page.sections)}"


def faults(words: str, language: str) -> list[str]:
    """Nothing left to fill in, nothing doubled, and no English in Japanese but names."""
    found = re.findall(r"\{|  |。。|、、|\.\.|None|\(\)|（）", words)
    if language == "ja":
        found += re.findall(r"\b(?:the|is|are|please|your|server)\b", words, re.IGNORECASE)
    return [str(each) for each in found]
