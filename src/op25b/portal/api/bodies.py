"""What the interface takes and gives: the schemas of its OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from op25b.policy.table import Words
from op25b.policy.watching import SenderKind
from op25b.portal.desk.search import LONGEST
from op25b.rollout import bulletins
from op25b.subscribers.exemptions.criteria import Criterion
from op25b.subscribers.exemptions.request import LONGEST_REASON, Asked
from op25b.subscribers.exemptions.transitions import Kind, State
from op25b.subscribers.leases.facts import NAME_OCTETS
from op25b.watch.states import State as CaseState


def _printable(text: str) -> str:
    if not text.replace("\n", " ").isprintable():
        raise ValueError("holds characters that cannot be shown; leave control characters out")
    return text


Text = Annotated[str, Field(max_length=LONGEST_REASON), AfterValidator(_printable)]
Short = Annotated[str, Field(max_length=NAME_OCTETS), AfterValidator(_printable)]


Wanted = Annotated[str, Field(max_length=LONGEST), AfterValidator(_printable)]


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


class CaseStep(Why):
    """A step with a case. `seen`: the state that it was seen in; if it has another by now, nothing is changed."""

    seen: CaseState


class CaseFull(BaseModel):
    """A case of the watch. `evidence`: headers and counts only."""

    id: int
    subscriber: str | None
    prefix: str
    kind: SenderKind
    state: CaseState
    first_at: AwareDatetime
    last_at: AwareDatetime
    attempts: int
    targets: int
    evidence: dict[str, Any]
    notice: str | None
    noticed_at: AwareDatetime | None
    opened_at: AwareDatetime
    closed_at: AwareDatetime | None


class Confined(BaseModel):
    """Somebody in quarantine."""

    subscriber: str
    case: int
    since: AwareDatetime


class NewBulletin(Body):
    """An outage or maintenance. `from`: now if left out; `until` null: until further notice."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    kind: bulletins.Kind
    ja: Text
    en: Text
    from_: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime | None = None

    def draft(self, now: datetime) -> bulletins.Draft:
        return bulletins.Draft(self.kind, Words(ja=self.ja, en=self.en), self.from_ or now, self.until)


class BulletinShown(BaseModel):
    """One that is kept."""

    id: int
    kind: bulletins.Kind
    ja: str
    en: str
    from_: AwareDatetime = Field(alias="from")
    until: AwareDatetime | None
