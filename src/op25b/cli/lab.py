"""lab up / run / shell / down: a provider's network on one machine, and its claims tried in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from op25b.cli import output, policyfile
from op25b.errors import UserError
from op25b.lab import Lab, attach, default_directory, down, lab_names, pages, up
from op25b.lab.announcing import Announcements
from op25b.lab.claims import Claims, read_claims
from op25b.lab.report import NOT_HERE, Row, rows
from op25b.lab.stage import FASTER, in_lab, provider
from op25b.lab.story import stories
from op25b.lab.trial import Sent, Trial
from op25b.lab.trials import Trials
from op25b.lab.visits import Visits
from op25b.policy.load import load
from op25b.policy.model import Policy
from op25b.portal.staff import codes

app = typer.Typer(
    help="A provider's network on one machine: real packets, real mail.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

EXAMPLES = Path("examples")
_STAFF = "hanako"
_PASSWORD_OCTETS = 12

Provider = Annotated[str, typer.Argument(metavar="PROVIDER", help="A policy file, or the name of an example.")]
Providers = Annotated[list[str] | None, typer.Argument(metavar="PROVIDER...", help="Policy files, or examples.")]
All = Annotated[bool, typer.Option("--all", help="Every provider of the list of claims.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, a row for each claim.")]
Open = Annotated[
    str | None,
    typer.Option("--open", metavar="PROVIDER", help="Leave its lab up, its pages open on the loopback."),
]


@app.command("up")
def lab_up(wanted: Provider) -> None:
    """Build a provider's network and leave it running."""
    path = _path(wanted)
    text, policy = _in_lab(path)
    lab = _up(policy.provider.name, path, text, policy, read_claims())
    output.text(f"lab {lab.name} is up, its own mail servers are op25b, the others {lab.mail_program}; hosts:")
    output.table(("host", "addresses"), [(host.name, " ".join(map(str, host.addresses))) for host in lab.plan.hosts])


@app.command("run")
def lab_run(wanted: Providers = None, all_: All = False, json: Json = False, open_: Open = None) -> None:
    """Try what each claim says with real clients, and ask `explain`; exit 1 if anything differs."""
    claims = read_claims()
    named = [*(wanted or []), *(dict.fromkeys(each.provider for each in claims.claims) if all_ else ())]
    if not named:
        raise UserError("name a policy file or an example, or --all for every provider of the list of claims")
    files = [(path, *_in_lab(path)) for path in map(_path, named)]
    tried = _all_tried(files, claims, open_)
    trials = [trial for each in tried for trial in each.trials]
    programs = {each.mail_program for each in tried}
    left_out = {claim for each in tried for claim in each.left_out}
    found = rows(claims, [policy.provider.name for _, _, policy in files], trials, left_out)
    if json:
        output.data([row.as_json() for row in found])
    else:
        _print(trials, found)
    if "postfix" not in programs:
        output.note(
            "Postfix, Dovecot and FreeRADIUS cannot run here without root: a small stand-in took the place of every "
            "mail server but the provider's own, which are op25b; leases were reported to op25b's own RADIUS port; "
            "claims on POP are left out, and what the watch tells apart"
        )
    if any(isinstance(trial, Sent) and trial.how.seen for trial in trials):
        lines = " ".join(FASTER.split())
        output.note(
            f"the watch had no hours to wait: the lab's copies of the policies that have no [watch] have {lines}"
        )
    for _, _, policy in files:
        if open_ == policy.provider.name:
            _open(policy)
    if any(row.ok is False for row in found):
        raise typer.Exit(1)


@app.command("shell")
def lab_shell(wanted: Provider, host: Annotated[str, typer.Argument(help="A host of the lab.")] = "edge") -> None:
    """Open a shell in a host of a running lab."""
    lab = attach(_name(wanted), directory=default_directory())
    if lab is None:
        raise UserError(f"no lab of {wanted} is running; start it with: op25b lab up {wanted}")
    if host not in [each.name for each in lab.plan.hosts]:
        raise UserError(f"the lab has no host {host}; it has {', '.join(each.name for each in lab.plan.hosts)}")
    command = lab.command(host, [os.environ.get("SHELL", "/bin/sh")])
    raise typer.Exit(subprocess.run(command, check=False).returncode)


@app.command("code")
def lab_code(secret: Annotated[str, typer.Argument(metavar="SECRET")]) -> None:
    """Print the one-time code of this moment: what an app would show that knows the secret."""
    try:
        output.text(codes.at(secret, datetime.now(UTC)))
    except ValueError:
        raise UserError("SECRET is not one of one-time codes; `op25b lab run --open PROVIDER` prints one") from None


@app.command("down")
def lab_down(wanted: Annotated[str | None, typer.Argument(metavar="PROVIDER")] = None) -> None:
    """End a lab, or all of them; nothing is left behind."""
    directory = default_directory()
    ended = [name for name in ([_name(wanted)] if wanted else lab_names(directory)) if down(name, directory=directory)]
    output.text(f"ended: {', '.join(ended)}" if ended else "no lab was running")


@dataclass(frozen=True)
class _Tried:
    """What came of one provider's claims. `left_out`: those that could not be tried."""

    trials: list[Trial]
    mail_program: str
    left_out: set[str]


def _all_tried(files: Sequence[tuple[Path, str, Policy]], claims: Claims, open_: str | None) -> list[_Tried]:
    """Each provider in a lab of its own, as many at a time as there are processors: each waits most of the time."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bars = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
    with bars, ThreadPoolExecutor(os.cpu_count()) as pool:
        trying = [
            pool.submit(_tried, path, text, policy, claims, open_ == policy.provider.name, bars)
            for path, text, policy in files
        ]
        try:
            return [each.result() for each in trying]
        except BaseException:
            for each in trying:
                each.cancel()
            # those that are under way fail at once
            for _, _, policy in files:
                down(_own(policy), directory=default_directory())
            raise


def _tried(path: Path, text: str, policy: Policy, claims: Claims, stays: bool, bars: Progress) -> _Tried:
    with _lab(path, text, policy, claims, stays) as lab:
        now = datetime.now(ZoneInfo(policy.provider.time_zone))
        tries, visits = Trials(lab, text, policy, claims, now), Visits(lab, policy, claims)
        announcements = Announcements(lab, text, claims)
        trials = [
            *_with_bar(bars, lab, len(tries.steps()), tries.run),
            *_with_bar(bars, lab, len(visits.all()), visits.run),
            *_with_bar(bars, lab, len(announcements.all()), announcements.run),
        ]
        if stays:
            tries.settle()
        return _Tried(trials, lab.mail_program, tries.left_out())


def _path(wanted: str) -> Path:
    """A policy file by its path, or an example by its name."""
    example = EXAMPLES / f"{wanted}.toml"
    return example if not Path(wanted).exists() and example.exists() else Path(wanted)


def _in_lab(path: Path) -> tuple[str, Policy]:
    text, policy = policyfile.both(path)
    copy = in_lab(policy, text)
    loaded = load(copy).policy
    assert loaded is not None, "it is loaded without the lab's lines"
    return copy, loaded


def _name(wanted: str) -> str:
    path = _path(wanted)
    return policyfile.policy(path).provider.name if path.exists() else wanted


def _up(name: str, path: Path, text: str, policy: Policy, claims: Claims) -> Lab:
    try:
        plan = provider(policy, text, claims.of(policy.provider.name))
        return up(name, plan, now=datetime.now(UTC), directory=default_directory(), policy=str(path))
    except ValueError as error:
        raise UserError(f"{path}: no lab can be made of it: {error}") from None


@contextmanager
def _lab(path: Path, text: str, policy: Policy, claims: Claims, stays: bool) -> Iterator[Lab]:
    """The provider's lab if one is up, or stays up, else one for the time being."""
    running = attach(policy.provider.name, directory=default_directory())
    if running is not None or stays:
        yield running or _up(policy.provider.name, path, text, policy, claims)
        return
    try:
        yield _up(_own(policy), path, text, policy, claims)
    finally:
        down(_own(policy), directory=default_directory())


def _own(policy: Policy) -> str:
    """The name of a lab that this command brings up and ends."""
    return f"{policy.provider.name}.{os.getpid()}"


def _with_bar(
    bars: Progress, lab: Lab, total: int, run: Callable[[Callable[[], None]], Sequence[Trial]]
) -> Sequence[Trial]:
    """Make the attempts, with a bar on a terminal."""
    task = bars.add_task(lab.plan.provider, total=total)
    try:
        return run(lambda: bars.advance(task))
    except (subprocess.SubprocessError, OverflowError) as error:
        raise UserError(f"the lab of {lab.plan.provider} broke down: {error}; try it again") from None
    finally:
        bars.remove_task(task)


def _open(policy: Policy) -> None:
    """Say where the pages of the lab that stays up are."""
    lab = attach(policy.provider.name, directory=default_directory())
    assert lab is not None
    line, password = policy.pools[0].name, token_urlsafe(_PASSWORD_OCTETS)
    portal, console = pages.open_portal(lab, lab.plan.subscriber(line).name), pages.open_console(lab)
    secret = pages.hire(lab, _STAFF, password)
    output.text("")
    output.text(f"the lab of {lab.plan.provider} stays up; its portal, as a customer on {line} sees it:")
    output.text(f"  http://127.0.0.1:{portal}/ja/  http://127.0.0.1:{portal}/en/")
    output.text(f"and its console: http://127.0.0.1:{console}/")
    output.text(f"  name {_STAFF}, password {password}, one-time code: op25b lab code {secret}")
    output.text(f"to end it: op25b lab down {lab.plan.provider}")


def _print(trials: list[Trial], found: list[Row]) -> None:
    """A table of the attempts under each claim, and then the count."""
    header = ("", "who", "tried", "expected", "happened", "refused after")
    for row in found:
        verdict = {True: "ok", False: "DIFFERS", None: row.observed}[row.ok]
        output.text(f"{row.claim.id} {row.claim.provider}, {verdict}: {row.claim.title}")
        made = [_cells(trial) for trial in trials if trial.claim == row.claim.id]
        if made:
            output.table(header, made)
            output.text("")
    for line in stories(trials):
        output.text(line)
    shown, differing, left = (sum(row.ok is state for row in found) for state in (True, False, None))
    output.text(
        f"{shown} claims shown by {len(trials)} attempts, {differing} differ" + (f", {left} {NOT_HERE}" if left else "")
    )


def _cells(trial: Trial) -> tuple[str, ...]:
    took = "" if trial.milliseconds is None else f"{trial.milliseconds:.2f} ms"
    return (" " if trial.ok else "!", trial.who, trial.tried, trial.expected, trial.observed, took)
