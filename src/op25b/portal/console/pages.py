"""A page of the console: for whom it is, and the ways that he may go from there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from op25b.answers.speech import mark
from op25b.portal.console import words
from op25b.portal.console.context import Context
from op25b.portal.staff.roles import Action, Person
from op25b.portal.web import languages
from op25b.portal.web.static import OURS, Static
from op25b.portal.web.templates import Templates

HERE = Path(__file__).parent


class _Number(IntegerConvertor):
    """`{number:number}` in a route: one that the store can have."""

    regex = "[0-9]{1,9}"


register_url_convertor("number", _Number())


class Entry(NamedTuple):
    """A place in the menu; `path` comes after the language."""

    path: str
    name: str
    action: Action


NAVIGATION = (
    Entry("", mark("Overview"), Action.SEE_OVERVIEW),
    Entry("exemptions", mark("Exemptions"), Action.SEE_EXEMPTIONS),
    Entry("cases", mark("Cases"), Action.SEE_CASES),
    Entry("phases", mark("Phases"), Action.SEE_PHASES),
    Entry("bulletins", mark("Outages and maintenance"), Action.SEE_BULLETINS),
    Entry("queue", mark("Queue"), Action.SEE_QUEUE),
    Entry("filter", mark("Filter"), Action.SEE_FILTER),
    Entry("audit", mark("Audit trail"), Action.SEE_AUDIT),
)


class Pages:
    """Makes pages. `static`: the files that they need."""

    def __init__(self, context: Context) -> None:
        provider = context.desks.policy.provider
        self._zone = ZoneInfo(provider.time_zone)
        self.static = Static((OURS, HERE / "static"))
        common: dict[str, Any] = {
            "provider": provider, "zone": provider.time_zone, "word": words.word, "notice": words.notice,
            "tones": words.TONES, "effects": words.EFFECTS, "tries": words.TRIES, "when": self._when, "figure": _figure,
            "foldable": _foldable, "Action": Action,
        }  # fmt: skip
        # for the pages that say that a request ends badly, and do not know who asks
        common |= {"person": None, "navigation": (), "asked": ""}
        self.templates = Templates([HERE / "templates"], self._zone, self.static, context.forms, common)

    def page(
        self,
        request: Request,
        person: Person | None,
        name: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """A template as the answer to somebody; None: to nobody who is known."""
        ways = [entry for entry in NAVIGATION if person is not None and person.may(entry.action)]
        return self.templates.page(
            request, name, status, headers, person=person, navigation=ways, asked=values.pop("asked", ""), **values
        )

    def part(self, request: Request, name: str, **values: Any) -> Markup:
        """A template as a part of a page that is there already."""
        return self.templates.part(languages.of(request), name, **values)

    def _when(self, at: datetime | str | None) -> Markup:
        """An instant in a table, in the provider's zone."""
        if at is None:
            return Markup("–")
        at = datetime.fromisoformat(at) if isinstance(at, str) else at
        local = at.astimezone(self._zone)
        # a narrow column may break between the day and the time of day
        shown = Markup('<time datetime="{}"><span>{:%Y-%m-%d}</span> {:%H:%M}</time>')
        return shown.format(local.isoformat(timespec="seconds"), local, local)


def _foldable(name: str) -> Markup:
    """A mail address that a narrow column may break, before the @ only."""
    return escape(name).replace("@", Markup("<wbr>@"))


def _figure(value: float) -> str:
    """A number as people read it: 12,345 and 0.25."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def went(request: Request, path: str) -> Response:
    """After a form: the browser goes on to a page of ours, in the same language."""
    return RedirectResponse(f"/{languages.of(request)}/{path}", 303)
