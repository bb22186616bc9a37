"""The pages for customers, as blocks; all that they say follows from the policy and the instant."""

from __future__ import annotations

from collections.abc import Callable

from op25b.answers.blocks import Page
from op25b.answers.pages import about, affected, avoid, contact, glossary, questions, trouble
from op25b.answers.pages.subject import Bulletin as Bulletin
from op25b.answers.pages.subject import Subject as Subject

PAGES: dict[str, Callable[[Subject], Page]] = {
    "about": about.page,
    "affected": affected.page,
    "avoid": avoid.page,
    "questions": questions.page,
    "glossary": glossary.page,
    "contact": contact.page,
    "trouble": trouble.page,
}
"""By key, which is also the path."""
