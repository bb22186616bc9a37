"""`explain`: what happens to one flow, or to a file of flows, and why."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

import typer

from op25b import locale
from op25b.answers.speech import Language
from op25b.answers.verdicts import text
from op25b.cli import hosts, output, policyfile
from op25b.cli.addresses import address
from op25b.cli.instants import instant
from op25b.cli.options import At, Json, PolicyPath, StoreUrl
from op25b.errors import UserError
from op25b.policy.intervals import Address
from op25b.policy.model import Policy
from op25b.policy.reasons import Decision
from op25b.policy.verdict import SMTP, Flow, Judge, Verdict

_STRICTNESS = (Decision.BLOCK, Decision.MONITORED, Decision.PASS)


def explain(
    policy: PolicyPath,
    from_: Annotated[str | None, typer.Option("--from", metavar="IP", help="The source of the flow.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="IP|HOST", help="Its destination.")] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The destination's TCP port.")] = SMTP,
    at: At = None,
    json: Json = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with status 1 if the flow is blocked.")] = False,
    flows: Annotated[
        Path | None,
        typer.Option(
            "--batch",
            metavar="FILE",
            help="CSV or Parquet with the columns src, dst, dport, at, and if wanted sport, proto:"
            " the rows come back with verdict, reason and rule.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="With --batch: write .csv or .parquet there.")
    ] = None,
    store: StoreUrl = None,
) -> None:
    """Say what happens to a flow at an instant, why, and what to do."""
    if flows is not None:
        if from_ or to or at or json or exit_code or port != SMTP:
            raise UserError("--batch takes its flows from FILE; leave out all other options but --out and --store")
        # imported here: pyarrow would add a tenth of a second to every command
        from op25b.cli import batch, live

        with live.opened(store) as opened:
            batch.explain(policyfile.policy(policy), flows, out, opened)
        return
    if from_ is None or to is None:
        raise UserError("whose flow is meant? write --from IP and --to IP or HOST, or --batch FILE")
    if out is not None:
        raise UserError("--out goes with --batch FILE; leave it out")
    found = policyfile.policy(policy)
    when = instant(at, ZoneInfo(found.provider.time_zone))
    asked = _asked(found, from_, to)
    if store is not None:
        found = _extended(found, store, asked, when)
    flow, verdict = _judge(found, asked, to, port, when)
    _print(found, flow, verdict, when, asked.found.name or str(flow.dst), json)
    if exit_code and verdict.decision is Decision.BLOCK:
        raise typer.Exit(1)


class _Asked(NamedTuple):
    source: Address
    found: hosts.Destinations


def _asked(policy: Policy, from_: str, to: str) -> _Asked:
    """The addresses that are meant."""
    try:
        source = address(from_)
    except ValueError as error:
        raise UserError(f"--from {error}") from None
    found = hosts.find(policy, to, source.version, hosts.system_lookup)
    if found.note:
        output.note(found.note)
    for destination in found.addresses:
        if destination.version != source.version:
            raise UserError(f"{source} and {destination} are of different families; write two of one family")
    return _Asked(source, found)


def _extended(policy: Policy, url: str, asked: _Asked, at: datetime) -> Policy:
    """With the exemptions of the store that concern the flow."""
    # imported here: who has no store does not wait for what it brings with it
    from op25b.cli import stores
    from op25b.subscribers.exemptions import as_policy

    with stores.opened(url) as store, store.read() as connection:
        return as_policy.at_instant(connection, policy, asked.source, asked.found.addresses, at)


def _judge(policy: Policy, asked: _Asked, to: str, port: int, at: datetime) -> tuple[Flow, Verdict]:
    """The flow with the strictest verdict among the destination's addresses."""
    judge = Judge(policy)
    flows = [Flow(asked.source, destination, port) for destination in asked.found.addresses]
    judged = [(flow, judge.verdict(flow, at)) for flow in flows]
    if len({verdict for _, verdict in judged}) > 1:
        output.note(f"the addresses of {to} get different verdicts; this is the strictest")
    return min(judged, key=lambda each: _STRICTNESS.index(each[1].decision))


def _print(policy: Policy, flow: Flow, verdict: Verdict, at: datetime, name: str, json: bool) -> None:
    speakers = locale.speakers(ZoneInfo(policy.provider.time_zone))
    words = {language: text(verdict, policy, flow, at, speaker, name) for language, speaker in speakers.items()}
    if json:
        output.data(
            {
                "verdict": verdict.decision,
                "reason": verdict.reason,
                "rule": verdict.rule,
                "pool": verdict.pool,
                "remedies": list(verdict.remedies),
                "text": words,
            }
        )
        return
    output.text(f"{flow.src} -> {name} port {flow.dport} at {at.isoformat(timespec='seconds')}")
    output.text(f"{verdict.decision}: {verdict.reason} ({verdict.rule}, pool {verdict.pool or '-'})")
    if verdict.remedies:
        output.text(f"remedies: {' '.join(verdict.remedies)}")
    output.text(words[_language()])


def _language() -> Language:
    """The reader's language: Japanese on a terminal set to it, else English."""
    chosen = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "ja" if chosen.startswith("ja") and sys.stdout.isatty() else "en"
