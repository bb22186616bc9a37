"""The pages that say the same to everybody: made once a minute at most, for each language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from op25b.answers.pages import PAGES, Bulletin, Subject
from op25b.answers.speech import Language
from op25b.policy.verdict import Judge
from op25b.portal.web.templates import Templates


@dataclass(frozen=True)
class Content:
    """A page as HTML: its text, and its table of contents, empty for a short one."""

    title: str
    text: Markup
    contents: Markup


class Contents:
    """Those of one policy. What they say changes with time (hours of the desk, phases), to the minute."""

    def __init__(self, judge: Judge, templates: Templates) -> None:
        self._judge, self._templates = judge, templates
        self._made: dict[tuple[str, Language], tuple[object, Content]] = {}

    def of(self, key: str, language: Language, at: datetime, bulletins: tuple[Bulletin, ...] = ()) -> Content:
        """One of PAGES, as it is at that instant; `bulletins`: for a page that tells of them."""
        minute = at.replace(second=0, microsecond=0)
        made = self._made.get((key, language))
        if made is None or made[0] != (minute, bulletins):
            subject = Subject(self._judge, minute, self._templates.speakers[language], bulletins)
            made = self._made[key, language] = (minute, bulletins), self._content(key, language, subject)
        return made[1]

    def _content(self, key: str, language: Language, subject: Subject) -> Content:
        found = PAGES[key](subject)
        text = self._templates.part(language, "content.html", found=found)
        return Content(found.title, text, self._templates.part(language, "contents.html", found=found))
