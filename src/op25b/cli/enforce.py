"""plan, apply, confirm, rollback, status, verify: the commands that look at the kernel's filter, or change it."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from op25b.cli import instants, output, policyfile
from op25b.cli.options import At, Json, PolicyPath, StoreUrl
from op25b.enforcement import apply as enforcement
from op25b.enforcement.generations import STATE, Records
from op25b.enforcement.netlink import Netlink
from op25b.enforcement.verify import Difference, live_difference, live_members
from op25b.policy import scope
from op25b.policy.model import Policy
from op25b.ruleset.compare import Change
from op25b.ruleset.lower import lower

LOOKS, LOOK_SECONDS = 3, 0.5

State = Annotated[Path, typer.Option("--state", envvar="OP25B_STATE", help="Folder of what was applied.")]
Seconds = Annotated[
    int | None,
    typer.Option("--confirm", min=1, max=86_400, metavar="SECONDS", help="Take it back unless confirmed in time."),
]


def plan(policy: PolicyPath, at: At = None, state: State = STATE, json: Json = False) -> None:
    """Show what an apply would change in the kernel; change nothing."""
    found = policyfile.policy(policy)
    with Netlink() as link:
        wanted = enforcement.plan(link, Records(state), lower(found, _instant(at, found)))
        live = live_members(link)
    if json:
        changes, drift = [_change(each) for each in wanted.changes], [asdict(each) for each in wanted.drift]
        output.data({"generation": wanted.current, "changes": changes, "drift": drift, "live": live})
        return
    if not wanted:
        output.text(f"nothing would change: generation {wanted.current} is what the policy says")
    else:
        lines = [each.describe() for each in wanted.drift] + [each.describe() for each in wanted.changes]
        output.text("\n".join(lines) or "the first generation, which refuses nothing yet")
    if live:
        output.text(f"{live} prefixes in the live sets stay as they are")


def apply(policy: PolicyPath, confirm: Seconds = None, at: At = None, state: State = STATE, json: Json = False) -> None:
    """Put the policy in force in this machine's kernel, in one transaction."""
    text, found = policyfile.both(policy)
    instant = _instant(at, found)
    with Netlink() as link:
        done = enforcement.apply(link, Records(state), text, found, instant, datetime.now(UTC), confirm)
    if json:
        output.data({"generation": done.number, "switched": done.switched, "confirm_within": done.seconds})
    elif not done.switched:
        output.text(f"generation {done.number} is in force already; nothing was changed")
    elif done.seconds is None:
        output.text(f"generation {done.number} is in force")
    else:
        before = f"generation {done.fallback}" if done.fallback is not None else "no ruleset"
        output.text(
            f"generation {done.number} is in force for {done.seconds} s; the kernel goes back to {before} then, "
            "unless `op25b confirm` comes first"
        )
    if at is None and (after := _next_change(found, instant)):
        output.note(f"the policy changes at {after.isoformat()}: apply it again then")


def confirm(state: State = STATE) -> None:
    """Keep what `apply --confirm` put in force."""
    with Netlink() as link:
        number = enforcement.confirm(link, Records(state))
    output.text(f"generation {number} stays in force")


def rollback(state: State = STATE) -> None:
    """Go back to what was in force before."""
    with Netlink() as link:
        number = enforcement.rollback(link, Records(state), datetime.now(UTC))
    output.text("nothing is filtered any more" if number is None else f"generation {number} is in force")


def status(state: State = STATE, json: Json = False) -> None:
    """Show what is in force, since when, and how many packets each rule has seen."""
    with Netlink() as link:
        found = enforcement.status(link, Records(state))
        live = live_members(link)
    record, pending = found.record, found.state.pending_ms
    if json:
        output.data(
            {
                "generation": found.state.current,
                "policy_at": record.at if record else None,
                "applied_at": record.applied_at if record else None,
                "falls_back_to": found.state.fallback,
                "seconds_to_confirm": None if pending is None else pending / 1000,
                "live": live,
                "counters": {name: {"packets": c.packets, "bytes": c.octets} for name, c in found.counters.items()},
            }
        )
        return
    if found.state.current is None:
        output.text("nothing is in force")
    else:
        made = (
            f", the policy as of {record.at}, applied {record.applied_at}" if record else ", of which no record is here"
        )
        output.text(f"generation {found.state.current} is in force{made}")
    if pending is not None:
        output.text(f"it is taken back in {pending / 1000:.0f} s unless `op25b confirm` comes first")
    if live is not None:
        output.text(f"{live} prefixes are exempt in the live sets")
    if found.counters:
        output.table(("rule", "packets"), [(name, str(c.packets)) for name, c in sorted(found.counters.items())])


def verify(policy: PolicyPath, at: At = None, state: State = STATE, json: Json = False, store: StoreUrl = None) -> None:
    """Check that what is in force is what the policy says; exit 1 with the differences if not.

    With a store also that the live sets hold what it says now.
    """
    found = policyfile.policy(policy)
    with Netlink() as link:
        differences = enforcement.verify(link, Records(state), found, _instant(at, found))
        if store is not None:
            differences += _of_live_sets(link, store)
    if json:
        output.data([asdict(each) for each in differences])
    else:
        output.text(_told(differences))
    if differences:
        raise typer.Exit(1)


def _of_live_sets(link: Netlink, url: str) -> list[Difference]:
    """What is on its way from the store to the kernel is no difference: only one that stays is told."""
    # imported here: who has no store does not wait for what it brings with it
    from op25b.cli import stores
    from op25b.enforcement.follower.present import Present

    with stores.opened(url) as store:
        for looked in range(LOOKS):
            time.sleep(LOOK_SECONDS if looked else 0)
            with store.read() as connection:
                wanted = Present(connection).everything(datetime.now(UTC)).wanted
            differences = live_difference(link, wanted)
            if not differences:
                break
    return differences


def _told(differences: list[Difference]) -> str:
    return "\n".join(each.describe() for each in differences) or "what is in force is what the policy says"


def _change(change: Change) -> dict[str, Any]:
    return {
        key: [str(prefix) for prefix in value] if isinstance(value, tuple) else value
        for key, value in asdict(change).items()
    }


def _instant(at: str | None, policy: Policy) -> datetime:
    return instants.instant(at, ZoneInfo(policy.provider.time_zone))


def _next_change(policy: Policy, at: datetime) -> datetime | None:
    """The next instant at which a phase or an exemption begins or ends."""
    return min((moment for moment in scope.moments(policy) if moment > at), default=None)
