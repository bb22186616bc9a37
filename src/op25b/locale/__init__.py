"""The two languages: the catalogues beside this file, compiled, one for each room that speaks."""

from __future__ import annotations

import gettext
from importlib import resources
from zoneinfo import ZoneInfo

from op25b.answers.speech import LANGUAGES, Language, Speaker
from op25b.errors import Missing


def speakers(zone: ZoneInfo) -> dict[Language, Speaker]:
    """A speaker for each language, with times in `zone`; raises Missing when the catalogues are not compiled."""
    return {language: Speaker(language, _catalogue(language), zone) for language in LANGUAGES}


def _catalogue(language: Language) -> gettext.GNUTranslations:
    """Every room's messages. One message in two rooms is one and the same: a test sees to it."""
    folder = resources.files("op25b") / "locale" / language / "LC_MESSAGES"
    first: gettext.GNUTranslations | None = None
    for file in sorted(folder.iterdir(), key=lambda each: each.name) if folder.is_dir() else ():
        if file.name.endswith(".mo"):
            with file.open("rb") as opened:
                catalogue = gettext.GNUTranslations(opened)
            if first is None:
                first = catalogue
            else:
                first.add_fallback(catalogue)
    if first is None:
        raise Missing(f"the {language} catalogue is not compiled; to get it: make setup")
    return first
