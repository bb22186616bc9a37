"""The phases of the policy, where each stands, and the notices that were given of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import AwareDatetime, BaseModel

from op25b.policy import scope
from op25b.policy.model import Phase
from op25b.portal.desk.context import Context
from op25b.rollout import gates
from op25b.rollout.gates import Tally
from op25b.rollout.records import Records


@dataclass(frozen=True, kw_only=True)
class StageShown(Tally):
    """A notice of a phase: how many people it is for, how many mails were taken, what came of them, what is left."""

    stage: str


class PhaseShown(BaseModel):
    """One phase. `state`: as `scope.state` has it; `pools`: those that it is for; `waits_for`: before its start."""

    name: str
    mode: str
    state: str
    tentative: bool
    from_at: AwareDatetime | None
    until_at: AwareDatetime | None
    pools: list[str]
    notices: list[StageShown]
    waits_for: list[str]


def look(context: Context) -> list[PhaseShown]:
    """All, in the order of the policy."""
    return [_shown(context, phase, context.clock()) for phase in context.policy.phases]


def _shown(context: Context, phase: Phase, at: datetime) -> PhaseShown:
    tallies = Records(context.store).tallies(phase.name)
    return PhaseShown(
        name=phase.name,
        mode=phase.mode,
        state=scope.state(phase, at),
        tentative=phase.tentative,
        from_at=phase.from_,
        until_at=phase.until,
        pools=[pool.name for pool in context.policy.pools if scope.first_miss(phase.scope, pool) is None],
        notices=[StageShown(stage=stage, **vars(tally)) for stage, tally in tallies.items()],
        waits_for=list(gates.waits_for(phase, tallies, at)),
    )
