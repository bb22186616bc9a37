"""The two languages, from the compiled catalogues inside the package."""

from __future__ import annotations

import gettext
from importlib import resources
from zoneinfo import ZoneInfo

from op25b.answers.speech import LANGUAGES, Language, Speaker
from op25b.errors import Missing


def speakers(zone: ZoneInfo) -> dict[Language, Speaker]:
    """A speaker for each language, with times in `zone`; raises Missing when a catalogue is not compiled."""
    return {language: Speaker(language, _catalogue(language), zone) for language in LANGUAGES}


def _catalogue(language: Language) -> gettext.GNUTranslations:
    source = resources.files("op25b") / "locale" / language / "LC_MESSAGES" / "op25b.mo"
    try:
        with source.open("rb") as file:
            return gettext.GNUTranslations(file)
    except FileNotFoundError:
        raise Missing(f"the {language} catalogue is not compiled; to get it: make setup") from None
