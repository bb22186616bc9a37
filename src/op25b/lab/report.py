"""What the trials show, claim by claim."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from op25b.lab.claims import Claim, Claims
from op25b.lab.trial import Trial

NOT_HERE = "not without root"


@dataclass(frozen=True)
class Row:
    """One claim. `ok` is None for a claim that cannot be shown here."""

    claim: Claim
    expected: str
    observed: str
    ok: bool | None

    def as_json(self) -> dict[str, str | bool | None]:
        return {
            "id": self.claim.id,
            "provider": self.claim.provider,
            "shown_by": self.claim.shown_by,
            "expected": self.expected,
            "observed": self.observed,
            "ok": self.ok,
        }


def rows(
    claims: Claims, providers: Iterable[str], trials: Iterable[Trial], left_out: Collection[str] = ()
) -> list[Row]:
    """A row for each claim of these providers, in the order of the list; `left_out`: those that cannot run here."""
    by_claim: dict[str, list[Trial]] = {}
    for trial in trials:
        by_claim.setdefault(trial.claim, []).append(trial)
    wanted = set(providers)
    theirs = [claim for claim in claims.claims if claim.provider in wanted]
    return [
        Row(claim, claim.title, NOT_HERE, None) if claim.id in left_out else _row(claim, by_claim.get(claim.id, []))
        for claim in theirs
    ]


def _row(claim: Claim, trials: list[Trial]) -> Row:
    expected = "; ".join(dict.fromkeys(f"{trial.tried}: {trial.expected}" for trial in trials))
    observed = "; ".join(dict.fromkeys(f"{trial.tried}: {trial.observed}" for trial in trials))
    return Row(claim, expected, observed or "nothing was tried", bool(trials) and all(trial.ok for trial in trials))
