"""What the interface takes and gives: the schemas of its OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from op25b.subscribers.exemptions.criteria import Criterion
from op25b.subscribers.exemptions.request import LONGEST_REASON, Asked
from op25b.subscribers.exemptions.transitions import Kind, State
from op25b.subscribers.leases.facts import NAME_OCTETS


def _printable(text: str) -> str:
    if not text.replace("\n", " ").isprintable():
        raise ValueError("holds characters that cannot be shown; leave control characters out")
    return text


Text = Annotated[str, Field(max_length=LONGEST_REASON), AfterValidator(_printable)]
Short = Annotated[str, Field(max_length=NAME_OCTETS), AfterValidator(_printable)]


class Body(BaseModel):
    """Nothing that is not known, nothing converted."""

    model_config = ConfigDict(extra="forbid")


class NewRequest(Body):
    """A request. Instants are ISO 8601 with an offset."""

    kind: Kind
    subscriber: Short | None = None
    prefix: Short | None = None
    reason: Text
    from_at: AwareDatetime | None = None
    review_at: AwareDatetime | None = None
    until_at: AwareDatetime | None = None
    domain: Short | None = None
    server: Short | None = None
    fee_accepted: bool = False

    def asked(self) -> Asked:
        return Asked(**dict(self))


class Why(Body):
    """A step. The reason goes to the audit trail."""

    why: Text = ""


class Approval(Why):
    """An approval. `overrides`: why a criterion that failed does not matter here."""

    overrides: dict[Criterion, Text] = {}

    @property
    def reasons(self) -> dict[str, str]:
        return {criterion.value: why for criterion, why in self.overrides.items()}


class Renewal(Approval):
    """A renewal; without instants by the policy's interval."""

    review_at: AwareDatetime | None = None
    until_at: AwareDatetime | None = None


class FindingShown(BaseModel):
    criterion: Criterion
    passed: bool
    found: str
    at: AwareDatetime


class ApprovalShown(BaseModel):
    who: str
    at: AwareDatetime
    overrides: dict[str, str]
    until_at: AwareDatetime | None
    pending: bool


class ExemptionShown(BaseModel):
    """An exemption. From the grant on its three instants are what was granted, before it what was asked for."""

    id: int
    state: State
    kind: Kind
    subscriber: str | None
    prefix: str | None
    reason: str
    from_at: AwareDatetime | None
    review_at: AwareDatetime | None
    until_at: AwareDatetime | None
    domain: str | None
    server: str | None
    fee_accepted: bool
    granted_at: AwareDatetime | None
    findings: list[FindingShown]
    approvals: list[ApprovalShown]
    requested_by: str
    requested_at: AwareDatetime
    changed_at: AwareDatetime
    version: int


class Listed(BaseModel):
    """A page. `next`: the `after` of the next one, null on the last."""

    exemptions: list[ExemptionShown]
    next: int | None


class Terms(BaseModel):
    """On what terms exemptions are granted, and how many there are."""

    provider: str
    terms: dict[str, Any]
    counts: dict[str, dict[str, int]]
    text: dict[str, list[str]]


class HistoryLine(BaseModel):
    at: AwareDatetime
    who: str
    what: str
    why: str
