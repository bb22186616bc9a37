"""plan, apply, confirm, rollback, status, verify: the policy into the kernel, and back out again.

Each takes the instant and the folder of records; none reads a clock. What is in force is read from the
kernel every time, never remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from op25b.enforcement import inventory, kernel, live
from op25b.enforcement.generations import Generation, Records
from op25b.enforcement.netlink import Netlink
from op25b.enforcement.verify import Difference, drift
from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.ruleset.compare import Change, changes, digest
from op25b.ruleset.lower import lower
from op25b.ruleset.nftables import table
from op25b.ruleset.rules import Ruleset


@dataclass(frozen=True)
class Plan:
    """What an apply would do. Empty lists: nothing, what is in force is what the policy says."""

    current: int | None
    changes: tuple[Change, ...]
    drift: tuple[Difference, ...]

    def __bool__(self) -> bool:
        return bool(self.current is None or self.changes or self.drift)


@dataclass(frozen=True)
class Applied:
    """`number`: the generation that treats packets now. `switched` False: it did already."""

    number: int
    switched: bool
    fallback: int | None
    seconds: int | None


@dataclass(frozen=True)
class Status:
    """What is in force; `counters`: packets by rule since the table was made."""

    state: kernel.InForce
    record: Generation | None
    counters: dict[str, inventory.Counter]


def plan(link: Netlink, records: Records, ruleset: Ruleset) -> Plan:
    """What would change if `ruleset` were applied: by the policy, and by what someone else did to the table."""
    return kernel.steady(link, lambda: _plan(link, records, ruleset))


def _plan(link: Netlink, records: Records, ruleset: Ruleset) -> Plan:
    state = kernel.in_force(link)
    if state.current is None:
        return Plan(None, tuple(changes(None, ruleset)), ())
    record = records.read(state.current)
    try:
        applied = record.ruleset() if record is not None else None
    except UserError:
        applied = None  # an apply is what mends this, so it must not fail for it
    if record is None or applied is None:
        what = f"generation {state.current} is in force, and there is no record of it here that can be read"
        return Plan(state.current, tuple(changes(None, ruleset)), (Difference("table", what),))
    found = drift(link, state, record, applied)
    return Plan(state.current, tuple(changes(applied, ruleset)), tuple(found))


def verify(link: Netlink, records: Records, policy: Policy, at: datetime) -> list[Difference]:
    """How what is in force differs from what the policy says at the instant; empty when it does not."""
    found = plan(link, records, lower(policy, at))
    if found.current is None:
        return [Difference("table", "nothing is in force")]
    return [*found.drift, *(Difference("policy", change.describe()) for change in found.changes)]


def apply(
    link: Netlink, records: Records, text: str, policy: Policy, at: datetime, now: datetime, seconds: int | None
) -> Applied:
    """Put the policy at the instant `at` in force; with `seconds`, only so long unless `confirm` follows.

    Old or new ruleset treats each packet, at every moment, also when this is killed. UserError while an
    earlier apply waits to be confirmed.
    """
    with records.locked():
        state = kernel.in_force(link)
        if state.pending_ms is not None:
            raise UserError(
                f"generation {state.current} is waiting for `op25b confirm` for another "
                f"{state.pending_ms / 1000:.0f} s; confirm it or roll it back first"
            )
        _note(records, state)
        ruleset = lower(policy, at)
        if state.current is not None and not plan(link, records, ruleset):
            if state.generations != {state.current}:
                # an apply was killed, or was not confirmed in time, and left something behind
                _settle(link, records, state.current)
            return Applied(state.current, False, None, None)
        number = _stage(link, records, state, ruleset, text, at.isoformat(), now)
        fallback = state.current if seconds is not None else None
        if seconds is None:
            _settle(link, records, number)
        else:
            kernel.switch(link, number, fallback, seconds)
            kernel.clean(link, {number, fallback or number})
        records.forget_old({number, state.current or number})
        return Applied(number, True, fallback, seconds)


def confirm(link: Netlink, records: Records) -> int:
    """Make the generation that waits for it stay; its number. UserError when none does."""
    with records.locked():
        state = kernel.in_force(link)
        if state.pending_ms is None or state.current is None:
            raise UserError("nothing waits to be confirmed; if an apply did, its time ran out and it was taken back")
        _settle(link, records, state.current)
        return state.current


def rollback(link: Netlink, records: Records, now: datetime) -> int | None:
    """Back to what was in force before; the number of the generation that is now, None when nothing is.

    While an apply waits to be confirmed, to its fallback, at once. Otherwise to the newest confirmed generation
    before the present one, made again from its record.
    """
    with records.locked():
        state = kernel.in_force(link)
        if state.pending_ms is not None:
            if state.fallback is None:
                kernel.withdraw()
                return None
            _settle(link, records, state.fallback)
            return state.fallback
        _note(records, state)
        earlier = _before(records, state.current)
        number = _stage(link, records, state, earlier.ruleset(), earlier.policy, earlier.at, now)
        _settle(link, records, number)
        return number


def _stage(
    link: Netlink, records: Records, state: kernel.InForce, ruleset: Ruleset, text: str, at: str, now: datetime
) -> int:
    """Put a new generation into the kernel and on record, beside what is in force; its number."""
    number = 1 + max([*records.numbers(), *state.generations], default=0)
    before = kernel.exempt_size(link, state.current) if state.current is not None else 0
    written = table(ruleset, kernel.prefix(number))
    kernel.stage(link, written)
    if before and written.exempt_size not in (0, before):
        live.carry_over(link, before, written.exempt_size)
    chains = kernel.fingerprints(link, number)
    records.write(Generation(number, text, at, digest(ruleset), now.isoformat(), chains, False))
    return number


def _settle(link: Netlink, records: Records, number: int) -> None:
    """Let this generation treat packets for good, and take everything else out of the table."""
    kernel.switch(link, number)
    records.confirm(number)
    kernel.clean(link, {number})


def _note(records: Records, state: kernel.InForce) -> None:
    """What treats packets for good is confirmed, also when it was killed before it could say so itself.

    A generation that never treated any is not: `rollback` must not go to it.
    """
    if state.current is not None and state.pending_ms is None:
        records.confirm(state.current)


def _before(records: Records, current: int | None) -> Generation:
    """The newest confirmed generation before the present one that treated packets otherwise."""
    present = records.read(current) if current is not None else None
    for number in reversed(records.numbers()):
        found = records.read(number)
        if (
            found is not None
            and found.confirmed
            and (current is None or number < current)
            and (present is None or found.digest != present.digest)
        ):
            return found
    raise UserError("there is no earlier generation to roll back to")


def status(link: Netlink, records: Records) -> Status:
    """What is in force, as the kernel has it."""
    state = kernel.steady(link, lambda: kernel.in_force(link))
    record = records.read(state.current) if state.current is not None else None
    return Status(state, record, inventory.read_counters(link, kernel.NAME))
