"""The way through the pages: what the menu offers, in its order."""

from __future__ import annotations

from typing import NamedTuple

from op25b.answers.speech import mark


class Entry(NamedTuple):
    """A place in the menu; `path` comes after the language."""

    path: str
    name: str


NAVIGATION = (
    Entry("", mark("Your line")),
    Entry("affected", mark("Am I affected?")),
    Entry("trouble", mark("I cannot send mail")),
    Entry("about", mark("What it is")),
    Entry("avoid", mark("What to do")),
    Entry("setup", mark("Set up your mail program")),
    Entry("questions", mark("Questions and answers")),
    Entry("glossary", mark("Glossary")),
    Entry("notices", mark("Notices")),
    Entry("contact", mark("Contact")),
)
