"""Which pools a phase is for, why a pool is not among them, and in what state a phase is at an instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from op25b.policy.model import Exemption, Mode, Phase, Policy, Pool, Scope
from op25b.policy.reasons import Reason


def _fails(value: str | None, wanted: Sequence[str] | None, unwanted: Sequence[str]) -> bool:
    return (wanted is not None and value not in wanted) or value in unwanted


def first_miss(scope: Scope, pool: Pool) -> tuple[int, Reason] | None:
    """The first test of `scope` that `pool` fails, as (how many it passed before, reason); None when it is in scope."""
    tests = (
        (_fails(pool.contract, scope.contracts, scope.not_contracts), Reason.CONTRACT_NOT_COVERED),
        (_fails(pool.name, scope.pools, scope.not_pools), Reason.LINE_NOT_COVERED),
        (_fails(pool.line, scope.lines, scope.not_lines), Reason.LINE_NOT_COVERED),
        (_fails(pool.region, scope.regions, scope.not_regions), Reason.REGION_NOT_COVERED),
        (_fails(pool.assignment, scope.assignments, ()), Reason.STATIC_ADDRESS),
    )
    return next(((passed, reason) for passed, (failed, reason) in enumerate(tests) if failed), None)


def nearest_miss(phases: Sequence[Phase], pool: Pool) -> tuple[Reason, Phase | None]:
    """Why no phase covers `pool`: the reason of the phase whose scope it came nearest to (claims F2, L5, N5)."""
    best: tuple[int, Reason, Phase | None] = (-1, Reason.LINE_NOT_COVERED, None)
    for phase in phases:
        miss = first_miss(phase.scope, pool)
        if miss is not None and miss[0] > best[0]:
            best = (*miss, phase)
    return best[1], best[2]


def state(phase: Phase, at: datetime) -> Reason:
    """COVERED, MONITORED, ANNOUNCED, NOT_YET or ENDED. `from` is included, `until` is not (claim I2)."""
    if phase.until is not None and at >= phase.until:
        return Reason.ENDED
    if phase.tentative:
        return Reason.ANNOUNCED
    if phase.from_ is not None and at < phase.from_:
        return Reason.NOT_YET
    return {
        Mode.ENFORCE: Reason.COVERED,
        Mode.MONITOR: Reason.MONITORED,
        Mode.ANNOUNCE: Reason.ANNOUNCED,
    }[phase.mode]


STRENGTH = (Reason.COVERED, Reason.MONITORED, Reason.ANNOUNCED, Reason.NOT_YET, Reason.ENDED)


def strongest(phases: Sequence[Phase], at: datetime) -> tuple[Reason, Phase]:
    """The state that counts among `phases` (one at least), and the phase that is in it.

    Of several, the first in the file; of several that start later, the one that starts soonest.
    """
    states = [(state(phase, at), phase) for phase in phases]
    reason = min((reason for reason, _ in states), key=STRENGTH.index)
    candidates = [phase for each, phase in states if each is reason]
    if reason is Reason.NOT_YET:
        return reason, min(candidates, key=lambda phase: phase.from_ or at)
    return reason, candidates[0]


def moments(policy: Policy) -> set[datetime]:
    """Every instant at which a phase or an exemption begins or ends; between two of them nothing changes."""
    spans = [(phase.from_, phase.until) for phase in policy.phases]
    spans += [(exemption.from_, exemption.until) for exemption in policy.exemptions]
    return {moment for span in spans for moment in span if moment is not None}


def in_force(exemption: Exemption, at: datetime) -> bool:
    """Whether the exemption holds at this instant; `from` is included, `until` is not."""
    return (exemption.from_ is None or at >= exemption.from_) and (exemption.until is None or at < exemption.until)
