"""The catalogues say all that the code says, in both languages, with the same placeholders."""

from __future__ import annotations

import io
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from op25b.answers.speech import LANGUAGES

SOURCE = Path(__file__).parents[2] / "src" / "op25b"
KEYWORDS = {"say": None, "mark": None, "speaker": None}


def catalogue(language: str) -> Catalog:
    text = (SOURCE / "locale" / language / "LC_MESSAGES" / "op25b.po").read_bytes()
    return read_po(io.BytesIO(text), locale=language, abort_invalid=True)


def said() -> set[str]:
    """Every message of the rooms that speak."""
    found = extract_from_dir(str(SOURCE / "answers"), [("**.py", "python")], keywords=KEYWORDS)
    return {str(message) for _, _, message, _, _ in found}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_messages_are_found() -> None:
    assert len(said()) > 60
    assert "{day} May {year}" in said()


@pytest.mark.parametrize("language", LANGUAGES)
def test_complete_and_nothing_more(language: str) -> None:
    messages = {str(message.id): message.string for message in catalogue(language) if message.id}
    assert set(messages) == said()
    assert [key for key, string in messages.items() if not string] == []
    assert not [message.id for message in catalogue(language) if message.fuzzy and message.id]


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_names_and_the_same(language: str) -> None:
    for message in catalogue(language):
        if message.id:
            assert placeholders(str(message.string)) <= placeholders(str(message.id)) | {"provider"}, message.id
            assert placeholders(str(message.id)) <= placeholders(str(message.string)), message.id
            assert all(name.isidentifier() for name in placeholders(str(message.id)))


def test_japanese_is_japanese_and_english_is_as_in_the_code() -> None:
    for message in catalogue("ja"):
        if message.id and "{address}" not in str(message.id) and "{zone}" not in str(message.id):
            assert any("\u3040" <= character <= "\u9fff" for character in str(message.string)), message.id
    assert [message.id for message in catalogue("en") if message.id != message.string and message.id] == []
