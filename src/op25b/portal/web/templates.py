"""Pages from templates, in the visitor's language: what is not marked as HTML is escaped, what lacks is a fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from op25b import locale
from op25b.answers.speech import LANGUAGES, Language, Speaker
from op25b.portal.web import languages
from op25b.portal.web.csrf import Forms
from op25b.portal.web.static import Static

OURS = Path(__file__).parent / "templates"


class Templates:
    """The templates of an application: its own `folders` and the common ones, which have base.html and blocks.html.

    Every template has `language`, `say`, `static(name)`, and what is in `common`; a page has `path`, `turned` (this
    page in each language) and `form_token()`, the hidden field that each form of method post needs.
    """

    def __init__(
        self, folders: Sequence[Path], zone: ZoneInfo, static: Static, forms: Forms, common: Mapping[str, Any]
    ) -> None:
        self._forms = forms
        self.speakers: dict[Language, Speaker] = locale.speakers(zone)
        self._environments = {
            language: _environment(language, self.speakers[language], [*folders, OURS], static, common)
            for language in LANGUAGES
        }

    def speaker(self, request: Request) -> Speaker:
        """Who speaks the language of a request's path."""
        return self.speakers[languages.of(request)]

    def part(self, language: Language, template: str, /, **values: Any) -> Markup:
        """A template as HTML, for a place in another one."""
        return Markup(self._environments[language].get_template(template).render(values))

    def page(
        self,
        request: Request,
        template: str,
        /,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """A template as the answer to a request, in the language of its path."""
        language = languages.of(request)
        values |= {
            "path": request.scope["path"],
            "turned": languages.turned(request),
            "form_token": lambda: self._forms.field(request),
        }
        text = self._environments[language].get_template(template).render(values)
        sent = {"Content-Language": language, **(headers or {})}
        return self._forms.bound(request, HTMLResponse(text, status, sent))


def _environment(
    language: Language, say: Speaker, folders: Sequence[Path], static: Static, common: Mapping[str, Any]
) -> Environment:
    made = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(common, language=language, say=say, static=static.url)
    return made
