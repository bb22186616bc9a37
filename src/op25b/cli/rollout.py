"""rollout: how far each phase is, who was told of it, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from op25b.cli import output, policyfile, stores
from op25b.cli.instants import instant
from op25b.cli.options import At, Json, PolicyPath
from op25b.policy import scope
from op25b.policy.model import Phase
from op25b.rollout import gates, stages
from op25b.rollout.gates import Tally
from op25b.rollout.records import Records

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def rollout(
    policy: PolicyPath,
    at: At = None,
    json: Json = False,
    store: Annotated[
        str | None,
        typer.Option("--store", envvar="OP25B_STORE", metavar="URL", help="Who was told is in this store."),
    ] = None,
) -> None:
    """Show each phase: its state and dates, its notices and how many have them, and what it waits for.

    Without a store nothing is known of who was told.
    """
    loaded = policyfile.policy(policy)
    when = instant(at, ZoneInfo(loaded.provider.time_zone))
    tallies: dict[str, dict[str, Tally]] = {phase.name: {} for phase in loaded.phases}
    if store is not None:
        with stores.opened(store) as opened:
            records = Records(opened)
            tallies = {phase.name: records.tallies(phase.name) for phase in loaded.phases}
    found = [shown(phase, tallies[phase.name], when) for phase in loaded.phases]
    if json:
        output.data(found)
        return
    for each in found:
        _print(each)


def shown(phase: Phase, tallies: Mapping[str, Tally], at: datetime) -> dict[str, Any]:
    """A phase as JSON; times are ISO 8601 in the offsets of the policy."""
    due, period = stages.due(phase, at), phase.settings_period
    planned = {each.notice.name: each.from_ for each in stages.calendar(phase)}
    return {
        "phase": phase.name,
        "mode": phase.mode,
        "state": scope.state(phase, at),
        "from": _iso(phase.from_),
        "until": _iso(phase.until),
        "tentative": phase.tentative,
        "expected": None if phase.expected is None else phase.expected.model_dump(),
        "settings_period": None if period is None else {"from": _iso(period.from_), "until": _iso(period.until)},
        "notices": [
            {
                "notice": name,
                "due_from": _iso(planned.get(name)),
                "due": due is not None and due.name == name,
                "told": asdict(tallies[name]) if name in tallies else None,
            }
            for name in dict.fromkeys([*tallies, *planned])
        ],
        "waits_for": list(gates.waits_for(phase, tallies, at)),
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _print(phase: dict[str, Any]) -> None:
    output.text(f"phase {phase['phase']}: {phase['state']}")
    when = f"from {phase['from']}" if phase["from"] else "always" if not phase["tentative"] else "tentative"
    expected = f", expected {phase['expected']['en']}" if phase["expected"] else ""
    output.text(f"  {when}{expected}{' until ' + phase['until'] if phase['until'] else ''}")
    if period := phase["settings_period"]:
        output.text(f"  settings period {period['from']} to {period['until']}")
    for notice in phase["notices"]:
        due = ", due now" if notice["due"] else f", due from {notice['due_from']}" if notice["due_from"] else ""
        told = notice["told"] or {}
        numbers = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in told.items() if number)
        output.text(f"  notice {notice['notice']}{due}: {numbers or 'nobody has it'}")
    for each in phase["waits_for"]:
        output.text(f"  waits for {each}")
