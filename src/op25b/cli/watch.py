"""watch: who keeps trying on port 25, and which machines look infected."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from op25b.cli import output, policyfile
from op25b.cli.options import STORE, Json, Url, Who, Why
from op25b.cli.stores import by, opened
from op25b.errors import UserError
from op25b.policy.watching import SenderKind
from op25b.store import Store
from op25b.watch import cases, export
from op25b.watch.cases import Case
from op25b.watch.states import State, Step

app = typer.Typer(
    add_completion=False,
    help="Who keeps trying on port 25, and which machines look infected.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
quarantine = typer.Typer(
    add_completion=False, help="Subscribers whose exemptions are not in force.", no_args_is_help=True
)
app.add_typer(quarantine, name="quarantine")

Number = Annotated[int, typer.Argument(metavar="CASE", help="A case, as `watch list` shows it.")]
HEADER = ("case", "who", "kind", "state", "attempts", "targets", "first", "last")
POLL_SECONDS = 1.0


class Format(StrEnum):
    CSV = "csv"
    XARF = "xarf"
    ARF = "arf"


@app.command("list")
def list_(
    kind: Annotated[SenderKind | None, typer.Option("--kind", help="Cases of this kind.")] = None,
    due: Annotated[bool, typer.Option("--due", help="Those of which a notice is due.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    json: Json = False,
    store: Url = STORE,
) -> None:
    """Show the open cases, oldest first."""
    with opened(store) as found, found.read() as connection:
        listed = cases.listed(connection, closed=all_)
    chosen = [
        case for case in listed if (kind is None or case.kind is kind) and (not due or case.state is State.NOTICED)
    ]
    if json:
        output.data([case.shown() for case in chosen])
    else:
        output.table(HEADER, map(_row, chosen))


@app.command()
def show(case: Number, json: Json = False, store: Url = STORE) -> None:
    """Show a case with its evidence: each criterion with its threshold, the targets, the lease."""
    with opened(store) as found, found.read() as connection:
        case_ = cases.find(connection, case)
    if json:
        output.data(case_.shown())
        return
    fields = {key: value for key, value in case_.shown().items() if key != "evidence" and value is not None}
    evidence: dict[str, Any] = dict(case_.evidence)
    lease = evidence["lease"] or {}
    shown = {**fields, "rule": evidence["rule"] or "none fits", **{f"lease {key}": lease[key] for key in lease}}
    output.table(("what", "value"), [(key.replace("_", " "), str(value)) for key, value in shown.items()])
    output.text("")
    known = evidence["figures"].items()
    output.table(("figure", "value"), [(key.replace("_", " "), _cell(value)) for key, value in known])
    output.text("")
    header = ("rule", "criterion", "value", "", "threshold", "met")
    output.table(header, [[_cell(value) for value in each.values()] for each in evidence["criteria"]])
    output.text("")
    output.table(
        ("target", "attempts", "tries", "first", "last"),
        [[_cell(value) for value in each.values()] for each in evidence["targets"]],
    )
    output.note(evidence["about"])


@app.command()
def follow(json: Json = False, store: Url = STORE) -> None:
    """Show each case as it is opened, changes or is closed, until interrupted."""
    with opened(store) as found:
        known = dict[int, Case]()
        if not json:
            output.text("  ".join(HEADER))
        while True:
            now = {case.id: case for case in _read(found)}
            changed = [case for number, case in now.items() if _differs(known.get(number), case)]
            with found.read() as connection:
                changed += [cases.find(connection, number) for number in known if number not in now]
            for case in changed:
                output.line(case.shown()) if json else output.text("  ".join(_row(case)))
            known = now
            time.sleep(POLL_SECONDS)


@app.command()
def close(case: Number, why: Why = "", by_: Who = None, store: Url = STORE) -> None:
    """Close a case. Counting begins anew; what is quarantined for it is released."""
    with opened(store) as found, found.write() as connection:
        cases.step(connection, cases.find(connection, case), Step.CLOSE, by(by_, why))
    output.text(f"case {case} is closed")


@app.command("export")
def export_(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="CASE...", help="All open ones if left out.")] = None,
    as_: Annotated[Format, typer.Option("--as", help="A table, or abuse reports.")] = Format.CSV,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="POLICY", help="For reports: the provider's name and address.")
    ] = None,
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="For ARF: who gets it.")] = "abuse@example.net",
    store: Url = STORE,
) -> None:
    """Write cases as CSV, or as abuse reports: XARF v4 (one JSON object a line), ARF (RFC 5965; one case)."""
    with opened(store) as found, found.read() as connection:
        chosen = [cases.find(connection, number) for number in numbers] if numbers else cases.listed(connection)
    if as_ is Format.CSV:
        output.text(export.table(chosen).removesuffix("\n"))
        return
    if policy is None:
        raise UserError("a report says whose it is: name the policy with --policy")
    reporter = export.Reporter.of(policyfile.policy(policy).provider)
    if as_ is Format.XARF:
        for case in chosen:
            output.line(export.xarf(case, reporter, uuid4()))
        return
    if len(chosen) != 1:
        raise UserError("an ARF message is about one case: name it")
    output.text(export.arf(chosen[0], reporter, to, datetime.now(UTC)).as_string())


@quarantine.command("list")
def quarantine_list(json: Json = False, store: Url = STORE) -> None:
    """Show who is on the list, and the case that holds the evidence."""
    with opened(store) as found, found.read() as connection:
        listed = cases.quarantined(connection)
    if json:
        output.data([{"subscriber": name, "case": case, "since": since.isoformat()} for name, case, since in listed])
    else:
        rows = [(name, str(case), since.isoformat(timespec="seconds")) for name, case, since in listed]
        output.table(("subscriber", "case", "since"), rows)


@quarantine.command()
def release(
    subscriber: Annotated[str, typer.Argument(metavar="SUBSCRIBER", help="As `quarantine list` shows it.")],
    why: Why = "",
    by_: Who = None,
    store: Url = STORE,
) -> None:
    """Take a subscriber off the list; the case stays open, and nothing more happens in it by itself."""
    with opened(store) as found, found.write() as connection:
        number = {name: case for name, case, _ in cases.quarantined(connection)}.get(subscriber)
        if number is None:
            raise UserError(f"{subscriber} is not quarantined; `op25b watch quarantine list` shows who is")
        cases.step(connection, cases.find(connection, number), Step.RELEASE, by(by_, why))
    output.text(f"{subscriber} is released")


def _read(store: Store) -> list[Case]:
    with store.read() as connection:
        return cases.listed(connection)


def _differs(before: Case | None, now: Case) -> bool:
    return before is None or (before.kind, before.state, before.attempts) != (now.kind, now.state, now.attempts)


def _row(case: Case) -> tuple[str, ...]:
    times = (case.first_at.isoformat(timespec="seconds"), case.last_at.isoformat(timespec="seconds"))
    return (str(case.id), case.who, case.kind, case.state, str(case.attempts), str(case.targets), *times)


def _cell(value: Any) -> str:
    return "-" if value is None else {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
