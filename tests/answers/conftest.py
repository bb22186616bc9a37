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
    source = (LOCALE / language / "LC_MESSAGES" / "op25b.po").read_bytes()
    target = io.BytesIO()
    write_mo(target, read_po(io.BytesIO(source), locale=language))
    target.seek(0)
    return gettext.GNUTranslations(target)
