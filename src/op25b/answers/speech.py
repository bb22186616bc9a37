"""Speaking one of the two languages: sentences from a catalogue, dates in the language's form.

Messages are English, with named placeholders. What is translated is the literal first argument of `say` (a Speaker)
and of `mark`; the catalogues are `locale/*/LC_MESSAGES/*.po`, one for each room that speaks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from op25b.policy.fields import SUBDOMAIN
from op25b.policy.model import Words

Language = Literal["ja", "en"]
LANGUAGES: tuple[Language, Language] = ("ja", "en")


class Translations(Protocol):
    """A catalogue, such as `gettext.GNUTranslations`; a message that it lacks comes back as it is."""

    def gettext(self, message: str, /) -> str: ...


def mark(message: str) -> str:
    """The message itself; marks it for translation where it is written, not where it is said."""
    return message


_DAYS = (
    mark("{day} January {year}"),
    mark("{day} February {year}"),
    mark("{day} March {year}"),
    mark("{day} April {year}"),
    mark("{day} May {year}"),
    mark("{day} June {year}"),
    mark("{day} July {year}"),
    mark("{day} August {year}"),
    mark("{day} September {year}"),
    mark("{day} October {year}"),
    mark("{day} November {year}"),
    mark("{day} December {year}"),
)

_DAYS_OF_YEAR = (
    mark("{day} January"),
    mark("{day} February"),
    mark("{day} March"),
    mark("{day} April"),
    mark("{day} May"),
    mark("{day} June"),
    mark("{day} July"),
    mark("{day} August"),
    mark("{day} September"),
    mark("{day} October"),
    mark("{day} November"),
    mark("{day} December"),
)


def clock(at: time) -> str:
    """A time of day, in either language."""
    return f"{at.hour}:{at:%M}"


@dataclass(frozen=True)
class Speaker:
    """Says messages in one language, with times in one zone (the provider's)."""

    language: Language
    translations: Translations
    zone: ZoneInfo

    def __call__(self, message: str, **values: str) -> str:
        return self.translations.gettext(message).format(**values)

    def pick(self, words: Words) -> str:
        """What the policy says in this language."""
        return words.ja if self.language == "ja" else words.en

    def host(self, name: str) -> str:
        """The name of a server; the label in it that each customer has of their own (claim S7) in words."""
        say = self
        return name.replace(SUBDOMAIN, say("(your sub-domain)"))

    def day(self, day: date) -> str:
        return self(_DAYS[day.month - 1], day=str(day.day), year=str(day.year))

    def day_of_year(self, month: int, day: int) -> str:
        """A day of every year."""
        return self(_DAYS_OF_YEAR[month - 1], day=str(day))

    def start(self, at: datetime) -> str:
        """An instant from which something holds: at midnight the day says it all."""
        local = at.astimezone(self.zone)
        return self.instant(at) if (local.hour, local.minute) != (0, 0) else self.day(local)

    def instant(self, at: datetime) -> str:
        """An instant with its time of day, exact to the minute."""
        local = at.astimezone(self.zone)
        return self._in_zone(self._moment(local), local)

    def span(self, first: datetime, last: datetime) -> str:
        """From one instant to another: what is the same of both is said once."""
        say, start, end = self, first.astimezone(self.zone), last.astimezone(self.zone)
        if start.tzname() != end.tzname():
            return say("{start} to {end}", start=self.instant(first), end=self.instant(last))
        until = clock(end.time()) if start.date() == end.date() else self._moment(end)
        return self._in_zone(say("{start} to {end}", start=self._moment(start), end=until), end)

    def _moment(self, local: datetime) -> str:
        say = self
        return say("{day}, {time}", day=self.day(local), time=clock(local.time()))

    def _in_zone(self, time: str, local: datetime) -> str:
        say = self
        return say("{time} ({zone})", time=time, zone=str(local.tzname()))

    def listed(self, items: Iterable[str]) -> str:
        return ("、" if self.language == "ja" else ", ").join(items)

    def paragraph(self, sentences: Iterable[str]) -> str:
        """Sentences one after the other; Japanese puts no space between them."""
        return ("" if self.language == "ja" else " ").join(sentences)
