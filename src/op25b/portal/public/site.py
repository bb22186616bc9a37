"""What the pages of one policy are made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import Request

from op25b.answers.speech import LANGUAGES, Language, Speaker
from op25b.policy.intervals import Address
from op25b.policy.model import Policy
from op25b.portal.public.asking import Asking
from op25b.portal.public.contents import Contents
from op25b.portal.public.context import Context
from op25b.portal.public.notices import Notices
from op25b.portal.public.standing import Standings
from op25b.portal.web import languages
from op25b.portal.web.templates import Templates
from op25b.portal.web.visitor import Proxies


class Site:
    """Made once for a policy: what it holds depends on no visitor."""

    def __init__(self, context: Context, templates: Templates) -> None:
        self.context, self.templates = context, templates
        self.policy: Policy = context.policy
        self.standings = Standings(context.policy)
        self.notices = Notices()
        self.contents = Contents(self.standings.judge, templates)
        self.proxies: Proxies = context.proxies
        self.forms = context.forms
        self._askings = {each: Asking(context.policy, templates.speakers[each]) for each in LANGUAGES}

    def visit(self, request: Request) -> Visit:
        """Who asks, when, in which language."""
        language = languages.of(request)
        return Visit(
            language,
            self.templates.speakers[language],
            self._askings[language],
            self.proxies.visitor(request),
            self.context.clock(),
        )


@dataclass(frozen=True)
class Visit:
    """One request. `address` None: the proxies do not tell it."""

    language: Language
    say: Speaker
    asking: Asking
    address: Address | None
    at: datetime
