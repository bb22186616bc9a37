"""The claims as data: who tries what in the lab, and what has to come of it (`claims.toml`)."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Annotated, Literal

from pydantic import Field

from op25b.answers.speech import Language
from op25b.policy.model import Instant, Scope, Slug, Table
from op25b.policy.reasons import Decision, Reason, Remedy
from op25b.policy.watching import SenderKind

Who = Scope | Literal["exempt", "offnet", "foreign"]
Target = Literal["own", "foreign", "web", "own-web", "home", "crowd"]
By = Literal["swaks", "curl", "smtplib", "msmtp", "webmail", "connect", "home-server", "bot"]
Auth = Literal["plain", "login", "none", "wrong-password"]


class Try(Table):
    """One way of trying; every pool in scope tries it over IPv4 and IPv6 both. Keys: see claims.toml."""

    who: Who
    to: Target
    expect: str
    port: int = 25
    by: By | None = None
    remedies: tuple[Annotated[Remedy, Field(strict=False)], ...] = Field(default=(), strict=False)
    at: Instant | None = None
    edit: Slug | None = None
    elsewhere: Literal["open", "blocked"] = "open"
    auth: Auth | None = None
    tls: bool = True
    answer: str | None = None
    pop: Literal["just-read", "read-elsewhere", "not-lately"] | None = None
    customer: Slug | None = None
    first: Literal["request", "grant", "move", "revoke"] | None = None
    heir_of: Slug | None = None
    times: Annotated[int, Field(ge=1)] = 1
    seen: Annotated[SenderKind, Field(strict=False)] | Literal["nobody"] | None = None
    counted: bool = False

    @property
    def follows(self) -> bool:
        """What the store says of the sender at that moment decides: an exemption follows its subscriber."""
        return self.first is not None or self.heir_of is not None

    @property
    def submits(self) -> bool:
        """A mail program uses the provider's own submission service."""
        return self.to == "own" and self.port in (587, 465) and self.by not in ("connect", "home-server")

    @property
    def by_name(self) -> bool:
        """The sender's program is told the name of the provider's server, and takes one of its addresses."""
        return self.submits or self.pop is not None or (self.by == "home-server" and self.to == "own")

    @property
    def decision(self) -> Decision:
        return Decision(self.expect.split()[0])

    @property
    def reason(self) -> Reason:
        return Reason(self.expect.split()[1])


class Saying(Table):
    """Words that must be there, in both languages, each after the one before it."""

    ja: tuple[str, ...] = Field(strict=False, min_length=1)
    en: tuple[str, ...] = Field(strict=False, min_length=1)

    def words(self, language: Language) -> tuple[str, ...]:
        return self.ja if language == "ja" else self.en


class Visit(Saying):
    """Somebody reads a page of the provider's portal, over IPv4 and IPv6 both. Keys: see claims.toml."""

    page: str
    who: Who = "offnet"
    fill: dict[str, str] = Field(default_factory=dict)
    links: tuple[str, ...] = Field(default=(), strict=False)


class Notice(Saying):
    """Customers get a notice by mail. Keys: see claims.toml."""

    phase: Slug
    stage: Slug
    at: Instant
    edit: Slug | None = None


class Claim(Table):
    """A row of the mission's acceptance test, in a few words."""

    id: str
    provider: Slug
    shown_by: Literal["packet", "verdict", "schedule", "service", "portal", "notice"]
    title: str
    tries: tuple[Try, ...] = Field(default=(), strict=False, alias="try")
    visits: tuple[Visit, ...] = Field(default=(), strict=False, alias="visit")
    notices: tuple[Notice, ...] = Field(default=(), strict=False, alias="notice")


class Edit(Table):
    """Lines of a provider's policy file that the operator changes."""

    name: Slug
    provider: Slug
    replace: str
    by: str

    def apply(self, text: str) -> str:
        """The edited file. Raises ValueError when the lines are not there exactly once."""
        if text.count(self.replace) != 1:
            raise ValueError(f"edit {self.name}: {self.replace!r} is not there exactly once")
        return text.replace(self.replace, self.by)


class Claims(Table):
    """All of claims.toml."""

    edits: tuple[Edit, ...] = Field(strict=False, alias="edit")
    claims: tuple[Claim, ...] = Field(strict=False, alias="claim")

    def of(self, provider: str) -> tuple[Claim, ...]:
        """The claims of one provider, in the order of the list."""
        return tuple(claim for claim in self.claims if claim.provider == provider)

    def edited(self, text: str, edit: str | None) -> str:
        """The text of a policy file after the edit of that name."""
        found = next((each for each in self.edits if each.name == edit), None)
        return found.apply(text) if found else text


def read_claims() -> Claims:
    """The claims that come with the package."""
    text = resources.files("op25b.lab").joinpath("claims.toml").read_text("utf-8")
    return Claims.model_validate(tomllib.loads(text))
