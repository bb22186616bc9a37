"""exempt: who may send on port 25 all the same, from the request to the end; every change is in the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from op25b.cli import output, policyfile, stores
from op25b.cli.instants import instant
from op25b.cli.options import STORE, Json, NeededWhy, PolicyFile, PolicyPath, Url, Who, Why
from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.portal.desk.terms import published, spoken
from op25b.store.audit import By, trail
from op25b.subscribers.exemptions import applicants, checks, listing, records
from op25b.subscribers.exemptions import desk as desks
from op25b.subscribers.exemptions.criteria import Criterion
from op25b.subscribers.exemptions.desk import Closing, Desk
from op25b.subscribers.exemptions.records import Exemption
from op25b.subscribers.exemptions.request import Asked
from op25b.subscribers.exemptions.transitions import OVER, Kind, State, Step

app = typer.Typer(
    add_completion=False,
    help="Exemptions: who may send on port 25 all the same.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The exemption's number.", min=1, max=records.HIGHEST)]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--override",
        metavar="CRITERION=REASON",
        help="Why a criterion that failed does not matter here. Repeatable.",
    ),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="When it ends, ISO 8601 with an offset.")]
Review = Annotated[str | None, typer.Option("--review", metavar="TIME", help="When it is looked at again.")]


@app.command()
def request(
    policy: PolicyFile,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What is sent, and why not through 587.")],
    subscriber: Annotated[
        str | None, typer.Option("--subscriber", metavar="NAME", help="Whose it is, at whatever addresses he holds.")
    ] = None,
    prefix: Annotated[str | None, typer.Option("--prefix", metavar="PREFIX", help="Of these sources instead.")] = None,
    destination: Annotated[
        str | None, typer.Option("--destination", metavar="PREFIX", help="For everyone, to these servers.")
    ] = None,
    domain: Annotated[str | None, typer.Option("--domain", metavar="NAME", help="The domain that is sent for.")] = None,
    server: Annotated[
        str | None, typer.Option("--server", metavar="IP", help="The sending server, for its reverse DNS.")
    ] = None,
    fee_accepted: Annotated[bool, typer.Option("--fee-accepted", help="Who asks accepts the fee.")] = False,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="When it begins; with the grant if left out.")
    ] = None,
    review: Review = None,
    until: Until = None,
    why: Why = "",
    by: Who = None,
    json: Json = False,
    store: Url = STORE,
) -> None:
    """Note a request. It has a number from then on; nothing is exempt yet."""
    loaded = policyfile.policy(policy)
    kind = _kind(prefix, destination)
    asked = Asked(
        kind, subscriber, prefix or destination, reason, _time(loaded, from_, "--from"),
        _time(loaded, review, "--review"), _time(loaded, until, "--until"), domain, server, fee_accepted,
    )  # fmt: skip
    with stores.opened(store, create=True) as opened:
        _said(Desk(opened, loaded).request(asked, stores.by(by, why)), json)


@app.command()
def review(
    number: Number, policy: PolicyFile, why: Why = "", by: Who = None, json: Json = False, store: Url = STORE
) -> None:
    """Look at the criteria, and note what is found: before it is approved, and before it is renewed."""
    loaded = policyfile.policy(policy)
    with stores.opened(store) as opened:
        done = stores.by(by, why)
        look = checks.looking(opened, loaded, checks.resolver(), done.at)
        _said(Desk(opened, loaded).review(number, done, look), json)


@app.command()
def approve(
    number: Number,
    policy: PolicyFile,
    override: Overrides = None,
    why: Why = "",
    by: Who = None,
    json: Json = False,
    store: Url = STORE,
) -> None:
    """Grant what was reviewed; where the policy wants two persons, the second one's approval grants it."""
    with _desk(store, policy) as desk:
        _said(desk.approve(number, stores.by(by, why), _overrides(override)), json)


@app.command()
def renew(
    number: Number,
    policy: PolicyFile,
    review: Review = None,
    until: Until = None,
    override: Overrides = None,
    why: Why = "",
    by: Who = None,
    json: Json = False,
    store: Url = STORE,
) -> None:
    """Prolong it after a review: by the policy's interval, or as said."""
    loaded = policyfile.policy(policy)
    with stores.opened(store) as opened:
        times = _time(loaded, review, "--review"), _time(loaded, until, "--until")
        _said(Desk(opened, loaded).renew(number, stores.by(by, why), *times, _overrides(override)), json)


@app.command()
def refuse(
    number: Number, policy: PolicyFile, why: NeededWhy, by: Who = None, json: Json = False, store: Url = STORE
) -> None:
    """Refuse what was asked for."""
    _close(number, Step.REFUSE, policy, stores.by(by, why), json, store)


@app.command()
def revoke(
    number: Number, policy: PolicyFile, why: NeededWhy, by: Who = None, json: Json = False, store: Url = STORE
) -> None:
    """End what was granted, now."""
    _close(number, Step.REVOKE, policy, stores.by(by, why), json, store)


@app.command()
def withdraw(
    number: Number, policy: PolicyFile, why: Why = "", by: Who = None, json: Json = False, store: Url = STORE
) -> None:
    """Who asked does not need it any more: end the request, or what was granted."""
    _close(number, Step.WITHDRAW, policy, stores.by(by, why), json, store)


@app.command("list")
def list_(
    state: Annotated[
        list[State] | None, typer.Option("--state", help="In this state; all that are not over if left out.")
    ] = None,
    kind: Annotated[list[Kind] | None, typer.Option("--kind", help="Of this kind.")] = None,
    subscriber: Annotated[str | None, typer.Option("--subscriber", metavar="NAME", help="Of this subscriber.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    json: Json = False,
    store: Url = STORE,
) -> None:
    """Show exemptions as they stand now."""
    states = state or [each for each in State if all_ or each not in OVER]
    with stores.opened(store) as opened, opened.read() as connection:
        found = listing.listed(connection, datetime.now(UTC), states, kind or tuple(Kind), subscriber)
    if json:
        output.data([exemption.shown() for exemption in found])
        return
    header = ("number", "kind", "for", "state", "review", "until", "reason")
    output.table(header, [_row(exemption) for exemption in found])


@app.command()
def show(number: Number, json: Json = False, store: Url = STORE) -> None:
    """Show one, with what was found, who approved, and its history."""
    with stores.opened(store) as opened, opened.read() as connection:
        exemption = listing.one(connection, number, datetime.now(UTC))
        history = trail(connection, records.subject(number))
        asking = [vars(each) for each in applicants.of(connection, number)]
    if json:
        lines = [{"at": each.at.isoformat(), "who": each.who, "what": each.what, "why": each.why} for each in history]
        output.data({**exemption.shown(), "applicants": asking, "history": lines})
        return
    shown = exemption.shown()
    findings, approvals = shown.pop("findings"), shown.pop("approvals")
    output.table(("what", "value"), [(key.replace("_", " "), stores.cell(value)) for key, value in shown.items()])
    if asking:
        output.table(("asked on the page by", "to be answered", "in"), [tuple(each.values()) for each in asking])
    if findings:
        rows = [(each["criterion"], "met" if each["passed"] else "FAILED", each["found"]) for each in findings]
        output.table(("criterion", "", "found"), rows)
    if approvals:
        rows = [(each["who"], each["at"], stores.cell(each["overrides"])) for each in approvals]
        output.table(("approved by", "at", "in spite of"), rows)
    output.table(("at", "who", "what", "why"), [(*stores.line(each)[:3], each.why) for each in history])


@app.command()
def sweep(json: Json = False, store: Url = STORE) -> None:
    """Write down what has ended or has to be renewed by now; `op25b serve` does it by itself."""
    with stores.opened(store) as opened:
        done = desks.sweep(opened, datetime.now(UTC))
    if json:
        output.data(vars(done))
    else:
        output.text(f"{done.expiring} to be renewed, {done.ended} ended")


@app.command()
def terms(policy: PolicyPath, json: Json = False, store: Url = STORE) -> None:
    """Publish on what terms exemptions are granted, in both languages, and how many there are; no names."""
    loaded = policyfile.policy(policy)
    with stores.opened(store) as opened, opened.read() as connection:
        counted = listing.counts(connection, datetime.now(UTC))
    if json:
        output.data(published(loaded, counted))
    else:
        output.text("\n\n".join("\n".join(lines) for lines in spoken(loaded, counted).values()))


@contextmanager
def _desk(store: str, policy: Path) -> Iterator[Desk]:
    loaded = policyfile.policy(policy)
    with stores.opened(store) as opened:
        yield Desk(opened, loaded)


def _close(number: int, step: Closing, policy: Path, by: By, json: bool, store: str) -> None:
    with _desk(store, policy) as desk:
        _said(desk.close(number, step, by), json)


def _kind(prefix: str | None, destination: str | None) -> Kind:
    if prefix is not None and destination is not None:
        raise UserError("--prefix and --destination are two exemptions; ask for each")
    if prefix is not None:
        return Kind.PREFIX
    return Kind.SUBSCRIBER if destination is None else Kind.DESTINATION


def _time(policy: Policy, text: str | None, option: str) -> datetime | None:
    return None if text is None else instant(text, ZoneInfo(policy.provider.time_zone), option)


def _overrides(given: list[str] | None) -> dict[str, str]:
    overrides = {}
    for text in given or ():
        name, _, why = text.partition("=")
        if name not in set(Criterion):
            raise UserError(f"--override {text!r} is not CRITERION=REASON; criteria are {', '.join(Criterion)}")
        overrides[name] = why
    return overrides


def _said(exemption: Exemption, json: bool) -> None:
    if json:
        output.data(exemption.shown())
        return
    output.text(f"exemption {exemption.id} is {exemption.state}")
    for finding in exemption.findings if exemption.state is State.UNDER_REVIEW else ():
        output.text(f"  {finding.criterion}: {'met' if finding.passed else 'FAILED'}: {finding.found}")
    if pending := [each.who for each in exemption.approvals if each.pending]:
        output.text(f"  approved by {', '.join(pending)}; another person's approval is needed")


def _row(exemption: Exemption) -> tuple[str, ...]:
    asked = exemption.asked
    whom = ", ".join(filter(None, (asked.prefix, asked.subscriber)))
    review, until = (at.isoformat(timespec="minutes") if at else "" for at in (asked.review_at, asked.until_at))
    return str(exemption.id), asked.kind, whom, exemption.state, review, until, asked.reason.partition("\n")[0]
