"""The portal's pages read by customers in the lab: real requests from their hosts, in both languages, by curl."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from secrets import token_hex
from urllib.parse import urlencode, urljoin, urlsplit

from op25b.answers.speech import LANGUAGES, Language
from op25b.lab import reading
from op25b.lab.claims import Claim, Claims, Visit
from op25b.lab.holder import WORK
from op25b.lab.hosts import Lab
from op25b.lab.pages import PORT
from op25b.lab.plan import Host
from op25b.lab.reading import Form, Page
from op25b.lab.servers import PASSWORD
from op25b.lab.stage import pools
from op25b.lab.trial import Trial
from op25b.policy.model import Policy, Scope

_SECONDS = 20.0


@dataclass(frozen=True)
class Visits:
    """The provider's lab with its policy."""

    lab: Lab
    policy: Policy
    claims: Claims

    def all(self) -> list[tuple[Claim, Visit]]:
        theirs = self.claims.of(self.lab.plan.provider)
        return [(claim, visit) for claim in theirs for visit in claim.visits]

    def run(self, progress: Callable[[], None]) -> list[Trial]:
        """Make every visit; `progress` is called after each."""
        found: list[Trial] = []
        for claim, visit in self.all():
            found += self._visited(claim, visit)
            progress()
        return found

    def _visited(self, claim: Claim, visit: Visit) -> Iterator[Trial]:
        who, host = self._visitor(visit)
        for language in LANGUAGES:
            for version in (4, 6):
                if host.address(version) is not None:
                    yield self._trial(claim, visit, language, f"{who} IPv{version}", host, version)

    def _visitor(self, visit: Visit) -> tuple[str, Host]:
        if not isinstance(visit.who, Scope):
            return visit.who, self.lab.plan.host(visit.who)
        pool = pools(self.policy, visit)[0]
        return pool.name, self.lab.plan.subscriber(pool.name)

    def _trial(self, claim: Claim, visit: Visit, language: Language, who: str, host: Host, version: int) -> Trial:
        browser = Browser(self.lab, host, version)
        page = browser.get(f"/{language}/{visit.page}")
        if visit.fill:
            account = self.lab.plan.accounts[host.name]
            values = {"address": account.name, "password": PASSWORD}
            page = browser.send({key: value.format_map(values) for key, value in visit.fill.items()})
        lacking = missing(page, visit, language)
        sent = ", form sent" if visit.fill else ""
        return Trial(
            claim.provider,
            claim.id,
            who,
            f"read /{language}/{visit.page}{sent}",
            " ... ".join(visit.words(language)),
            "the page says it" if lacking is None else f"not there, or not in this order: {lacking}",
            None,
            lacking is None,
        )


def missing(page: Page, visit: Visit, language: Language) -> str | None:
    """Pure: the first word or link that a visit's page lacks."""
    targets = {PurePosixPath(urlsplit(link).path).relative_to("/").as_posix() for link in page.links if link[:1] == "/"}
    links = (each for each in visit.links if f"{language}/{each}" not in targets)
    lacking = reading.missing(page.text, visit.words(language))
    return lacking if lacking is not None else next(links, None)


@dataclass
class Browser:
    """What a visitor at a host has in front of him; cookies are kept."""

    lab: Lab
    host: Host
    version: int

    def __post_init__(self) -> None:
        self._cookies = f"{WORK}/cookies-{token_hex(8)}"
        self._at = f"http://{self.lab.plan.pages}:{PORT}/"
        self._page = Page("", (), ())

    def get(self, path: str) -> Page:
        return self._fetch(urljoin(self._at, path))

    def send(self, values: Mapping[str, str]) -> Page:
        """The page's form that has these fields, filled in. Where none has, what was to be sent is nowhere."""
        form = next((form for form in self._page.forms if values.keys() <= form.fields.keys()), Form("", "get"))
        body = urlencode({**form.fields, **values})
        target = urljoin(self._at, form.action)
        return self._fetch(target, body) if form.method == "post" else self._fetch(f"{target}?{body}")

    def _fetch(self, url: str, body: str | None = None) -> Page:
        data = ["--data-binary", "@-"] if body is not None else []
        command = [
            "curl", "--silent", "--show-error", "--location", "--noproxy", "*", f"-{self.version}",
            "--max-time", str(_SECONDS), "--cookie", self._cookies, "--cookie-jar", self._cookies, *data,
            "--write-out", "\n%{url_effective}", url,
        ]  # fmt: skip
        done = self.lab.run(self.host.name, command, input=body or "", seconds=2 * _SECONDS)
        html, _, self._at = done.stdout.rpartition("\n")
        self._page = reading.read(html)
        return self._page
