"""notify: the notice of a phase to a list of customers, each once, whatever stops it in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from op25b import locale
from op25b.cli import notify_mail, notify_paper, output, policyfile, stores
from op25b.cli.instants import instant
from op25b.cli.notify_run import Run
from op25b.cli.options import STORE, At, Json, PolicyPath, Url, Who, Why
from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.portal.setup.programs import menus
from op25b.rollout import recipients, reports, stages
from op25b.rollout.content import Subject
from op25b.rollout.recipients import Person
from op25b.rollout.records import Records
from op25b.rollout.stages import Stage
from op25b.rollout.texts import Texts
from op25b.store.audit import By

app = typer.Typer(add_completion=False, rich_markup_mode=None)

RATE = 90.0
"""Below what a submission server takes for a stolen password by default: 1000 recipients within 10 minutes."""
FAULTS_SHOWN = 20

Server = Annotated[
    str | None, typer.Option("--server", metavar="HOST[:PORT]", help="op25b's submission; else the policy's.")
]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="Its password, in a file of its own.")
]
Authority = Annotated[
    Path | None, typer.Option("--ca", metavar="FILE", help="Trust these certificates (PEM), not the system's.")
]


@app.command()
def notify(
    policy: PolicyPath,
    phase: Annotated[str, typer.Option("--phase", metavar="NAME", help="The phase that the notice is about.")],
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help=f"CSV with the columns {', '.join(recipients.COLUMNS)}.")
    ],
    stage: Annotated[Stage | None, typer.Option("--stage", help="Another notice than the one that is due.")] = None,
    at: At = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the notice and the numbers; send nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out bad rows instead of stopping.")] = False,
    server: Server = None,
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="The account that sends.")] = None,
    password_file: PasswordFile = None,
    ca: Authority = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="ADDRESS", help="The sender; else the policy's mail contact.")
    ] = None,
    portal: Annotated[
        str | None, typer.Option("--portal", metavar="URL", help="Where the provider's pages are, for links.")
    ] = None,
    rate: Annotated[float, typer.Option("--rate", min=0.1, max=60000, help="Mails a minute.")] = RATE,
    letters: Annotated[
        Path | None, typer.Option("--letters", metavar="FILE", help="Letters to whom mail does not reach, as PDF.")
    ] = None,
    faxes: Annotated[
        Path | None, typer.Option("--faxes", metavar="FILE", help="Faxes to those with a number and no mail, as PDF.")
    ] = None,
    unreached: Annotated[
        Path | None, typer.Option("--unreached", metavar="FILE", help="Whom mail does not reach, and why, as CSV.")
    ] = None,
    bounces: Annotated[
        Path | None, typer.Option("--bounces", metavar="PATH", help="The Maildir or mbox that bounces came to.")
    ] = None,
    why: Why = "",
    by: Who = None,
    json: Json = False,
    store: Url = STORE,
) -> None:
    """Send a phase's notice to each person of a list, once; the same command goes on where it was stopped.

    The store must be that of the sending server: its relay notes there what has left, and lets nothing leave twice.
    """
    access = notify_mail.Access(server, user, password_file, ca, from_)
    run = _run(policyfile.policy(policy), phase, stage, at, _people(to, skip_bad), portal, stores.by(by, why))
    if dry_run:
        _show(run, json)
        return
    with stores.opened(store, create=True) as opened:
        records = Records(opened)
        if bounces is not None:
            for key, detail in reports.failed(bounces):
                records.bounced(key, detail, run.by.at)
        mails = records.plan(run.phase.name, run.notice.name, run.people, run.by)
        counts = {"people": len(run.people), "sent": 0, "refused": 0}
        if mails:
            notify_mail.send(run, records, mails, notify_mail.server(run.policy, access), rate, counts)
        counts |= notify_paper.write(run, records, notify_paper.Files(letters, faxes, unreached))
    _done(run, counts, json)


def _run(
    policy: Policy, name: str, stage: Stage | None, at: str | None, people: list[Person], portal: str | None, by: By
) -> Run:
    zone = ZoneInfo(policy.provider.time_zone)
    when = instant(at, zone)
    phase = next((each for each in policy.phases if each.name == name), None)
    if phase is None:
        raise UserError(f"there is no phase {name!r}; there are {', '.join(each.name for each in policy.phases)}")
    notice = stages.due(phase, when) if stage is None else stages.of_stage(phase, stage, when)
    if notice is None:
        what = "no notice is due" if stage is None else f"there is no {stage} notice"
        raise UserError(f"phase {name}: {what} at {when.isoformat()}; `op25b rollout` shows the notices of each phase")
    subject = Subject(policy, phase, notice, when, menus())
    texts = Texts(subject, locale.speakers(zone), portal.rstrip("/") if portal else None)
    return Run(policy, phase, notice, people, texts, by)


def _people(path: Path, skip_bad: bool) -> list[Person]:
    try:
        # with or without the mark that spreadsheets put in front
        with path.open(encoding="utf-8-sig", newline="") as file:
            people, faults = recipients.read(file)
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8; save the list as CSV in UTF-8") from None
    told = [f"{path}: row {fault.row}: {fault.text}" for fault in faults[:FAULTS_SHOWN]]
    if len(faults) > FAULTS_SHOWN:
        told.append(f"{path}: {len(faults) - FAULTS_SHOWN} more bad rows")
    if faults and not (skip_bad and people):
        raise UserError("\n".join([*told, "nothing was sent; --skip-bad sends to the other rows"]))
    for fault in told:
        output.note(fault)
    return people


def _show(run: Run, json: bool) -> None:
    ways = {way: sum(person.way == way for person in run.people) for way in ("mail", "fax", "letter")}
    shown = {"phase": run.phase.name, "stage": run.notice.name, "people": len(run.people), **ways}
    first = replace(run.people[0], languages=("ja", "en")) if run.people else None
    text = run.texts.mail(first) if first else None
    if json:
        output.data(shown | {"subject": text.subject if text else None, "text": text.plain if text else None})
        return
    output.text(f"phase {run.phase.name}, notice {run.notice.name}: {_numbers(ways)}; nothing was sent")
    if text:
        output.text(f"\nSubject: {text.subject}\n\n{text.plain}")


def _done(run: Run, counts: dict[str, int], json: bool) -> None:
    if json:
        output.data({"phase": run.phase.name, "stage": run.notice.name, **counts})
    else:
        output.text(f"phase {run.phase.name}, notice {run.notice.name}: {_numbers(counts)}")


def _numbers(counts: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in counts.items())
