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
KEYWORDS = {"say": None, "_say": None, "mark": None, "speaker": None}
METHODS = [("**.py", "python"), ("**.html", "jinja2"), ("**.txt", "jinja2")]
OPTIONS = {"**.html": {"silent": "false"}, "**.txt": {"silent": "false"}}
ROOMS = sorted(path.stem for path in (SOURCE / "locale" / "ja" / "LC_MESSAGES").glob("*.po"))
"""A catalogue has the name of the folder whose words it holds; `portal-console` is portal/console. A folder within it
that has a catalogue of its own is left out."""


def catalogue(language: str, room: str) -> Catalog:
    text = (SOURCE / "locale" / language / "LC_MESSAGES" / f"{room}.po").read_bytes()
    return read_po(io.BytesIO(text), locale=language, abort_invalid=True)


def said(room: str) -> set[str]:
    """Every message of a room that speaks, in code and in templates."""
    folder = _folder(room)
    others = {_folder(other) for other in ROOMS if other != room}
    found = extract_from_dir(
        str(folder),
        METHODS,
        options_map=OPTIONS,
        keywords=KEYWORDS,
        directory_filter=lambda path: Path(path) not in others,
    )
    return {str(message) for _, _, message, _, _ in found}


def _folder(room: str) -> Path:
    return SOURCE / room.replace("-", "/")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_messages_are_found() -> None:
    assert len(said("answers")) > 60
    assert "{day} May {year}" in said("answers")


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_complete_and_nothing_more(language: str, room: str) -> None:
    messages = {str(message.id): message.string for message in catalogue(language, room) if message.id}
    assert set(messages) == said(room)
    assert [key for key, string in messages.items() if not string] == []
    assert not [message.id for message in catalogue(language, room) if message.fuzzy and message.id]


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_names_and_the_same(language: str, room: str) -> None:
    for message in catalogue(language, room):
        if message.id:
            assert placeholders(str(message.string)) <= placeholders(str(message.id)) | {"provider"}, message.id
            assert placeholders(str(message.id)) <= placeholders(str(message.string)), message.id
            assert all(name.isidentifier() for name in placeholders(str(message.id)))


@pytest.mark.parametrize("room", ROOMS)
def test_japanese_is_japanese_and_english_is_as_in_the_code(room: str) -> None:
    for message in catalogue("ja", room):
        if message.id and "{address}" not in str(message.id) and _says_something(str(message.id)):
            assert any("\u3040" <= character <= "\u9fff" for character in str(message.string)), message.id
    assert [message.id for message in catalogue("en", room) if message.id != message.string and message.id] == []


def _says_something(message: str) -> bool:
    """Whether there is a word besides what is filled in."""
    return any(character.isalpha() for text, _, _, _ in Formatter().parse(message) for character in text)


def test_a_message_of_two_rooms_is_one_and_the_same() -> None:
    seen: dict[str, str] = {}
    for room in ROOMS:
        for message in catalogue("ja", room):
            if message.id:
                assert seen.setdefault(str(message.id), str(message.string)) == message.string, (room, message.id)
