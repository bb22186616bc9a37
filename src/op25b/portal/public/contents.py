"""The pages that say the same to everybody: made once a minute at most, for each language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from op25b.answers.blocks import Page, Paragraph, Section
from op25b.answers.speech import Language, Speaker
from op25b.policy.model import Policy
from op25b.portal.web.templates import Templates

KEYS = ("about", "affected", "avoid", "questions", "glossary", "contact", "trouble")


def page(key: str, policy: Policy, at: datetime, say: Speaker) -> Page:
    return Page(key, key, (Section(f"{key}-1", "Stand-in", (Paragraph("Stand-in"),)),))


@dataclass(frozen=True)
class Content:
    """A page as HTML: its text, and its table of contents, empty for a short one."""

    title: str
    text: Markup
    contents: Markup


class Contents:
    """Those of one policy. What they say changes with time (hours of the desk, phases), to the minute."""

    def __init__(self, policy: Policy, templates: Templates) -> None:
        self._policy, self._templates = policy, templates
        self._made: dict[tuple[str, Language], tuple[datetime, Content]] = {}

    def of(self, key: str, language: Language, at: datetime) -> Content:
        """One of KEYS, as it is at that instant."""
        minute = at.replace(second=0, microsecond=0)
        made = self._made.get((key, language))
        if made is None or made[0] != minute:
            made = self._made[key, language] = minute, self._content(key, language, minute)
        return made[1]

    def _content(self, key: str, language: Language, at: datetime) -> Content:
        found = page(key, self._policy, at, self._templates.speakers[language])
        text = self._templates.part(language, "content.html", found=found)
        return Content(found.title, text, self._templates.part(language, "contents.html", found=found))
