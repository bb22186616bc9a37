"""Speakers with the real catalogues, compiled on the spot."""

from __future__ import annotations

import gettext
import io
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from op25b.answers.speech import LANGUAGES, Language, Speaker

LOCALE = Path(__file__).parents[2] / "src" / "op25b" / "locale"


@pytest.fixture(scope="session")
def speakers() -> dict[Language, Speaker]:
    return {language: Speaker(language, compiled(language), ZoneInfo("Asia/Tokyo")) for language in LANGUAGES}


def compiled(language: str) -> gettext.GNUTranslations:
    found: list[gettext.GNUTranslations] = []
    for source in sorted((LOCALE / language / "LC_MESSAGES").glob("*.po")):
        target = io.BytesIO()
        write_mo(target, read_po(io.BytesIO(source.read_bytes()), locale=language))
        target.seek(0)
        found.append(gettext.GNUTranslations(target))
    for fallback in found[1:]:
        found[0].add_fallback(fallback)
    return found[0]
