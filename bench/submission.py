"""Taking in mail: op25b beside Postfix, OpenSMTPD, Exim and aiosmtpd, all under the same load (smtpload.py).

Every server runs as its Debian package brings it but for what mailservers/ says of each; op25b with the relay off, as
the peers deliver nothing either (Postfix as Debian brings it, and with flow control off, hands to discard(8)). Log-ins:
Dovecot answers Postfix, Exim and aiosmtpd look in a file; their passwords are in the clear, the cheapest scheme there
is. op25b's are argon2id in its own store, with its own cache of recent log-ins; the first log-in of each account comes
before the window.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from figures import Row, Sample, Table, interleaved, main, needs
from mailrun import Figure, Load, disk, measure, shared_folder
from mailservers import dovecot
from mailservers.aio import Aiosmtpd
from mailservers.exim import Exim
from mailservers.op25b import Op25b
from mailservers.opensmtpd import OpenSmtpd
from mailservers.postfix import AcceptOnly, Postfix, Unthrottled
from mailservers.server import Server

from op25b.errors import Missing

SERVERS: tuple[type[Server], ...] = (Op25b, AcceptOnly, Unthrottled, Postfix, OpenSmtpd, Exim, Aiosmtpd)
SLOW_US = 2000


@dataclass(frozen=True)
class Case:
    """`target`: how many times the rate of Postfix that only accepts is to be reached; None: no target."""

    work: str
    load: Load
    target: float | None = None
    sync_us: int = 0


MIB = 1 << 20
CASES = (
    Case("4 KB, plain, 1 a connection", Load(), 3),
    Case("4 KB, plain, 100 a connection", Load(per_connection=100)),
    Case("4 KB, STARTTLS + AUTH, 1 a connection", Load("starttls"), 2),
    Case("4 KB, STARTTLS + AUTH, 20 a connection", Load("starttls", per_connection=20), 4),
    Case("4 KB, implicit TLS + AUTH, 1 a connection", Load("implicit")),
    Case("1 MB, plain, 20 a connection", Load(per_connection=20, size=MIB)),
    Case("1 MB, STARTTLS + AUTH, 20 a connection", Load("starttls", per_connection=20, size=MIB)),
    Case("10 MB, plain, 20 a connection", Load(per_connection=20, size=10 * MIB, seconds=10), 1),
    Case("10 MB, STARTTLS + AUTH, 20 a connection", Load("starttls", per_connection=20, size=10 * MIB, seconds=10), 1),
)


def slow(case: Case) -> Case:
    """The same on a disk that takes 2 ms longer for each sync, with 100 clients where messages are small."""
    load = case.load
    connections = 100 if load.size < MIB else load.connections
    return Case(f"{case.work}, sync + 2 ms", replace(load, connections=connections), None, SLOW_US)


@dataclass
class Results:
    """What was found of one case, by the server's name."""

    case: Case
    rate: dict[str, Sample] = field(default_factory=dict)
    figures: dict[str, list[Figure]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Why a server has no figure."""

    def cpu(self, name: str) -> float:
        """Seconds for 1,000 messages."""
        return Sample(tuple(each.cpu for each in self.figures[name])).median

    def p99(self, name: str) -> float:
        return Sample(tuple(each.p99_ms for each in self.figures[name])).median

    def ratio(self, name: str) -> float | None:
        """How many times faster op25b is."""
        return self.rate[Op25b.name].median / self.rate[name].median if name in self.rate else None


def run_case(case: Case, shared: Path, rounds: int) -> Results:
    """Every server in turn, round by round. Raises what op25b raises; a peer that refuses has no figure."""
    found = Results(case)
    contestants: dict[str, Callable[[], float]] = {}
    for server in SERVERS:
        if case.load.logs_in and not server.logs_in:
            found.missing[server.name] = server.why_not
        else:
            contestants[server.name] = partial(_once, server, case, shared, found)
    rates = interleaved(contestants, rounds)
    found.rate = {name: sample for name, sample in rates.items() if name not in found.missing}
    return found


def _once(server: type[Server], case: Case, shared: Path, found: Results) -> float:
    if server.name in found.missing:
        return 0.0
    start = time.monotonic()
    try:
        figure = measure(server, shared, case.load, case.sync_us)
    except (RuntimeError, Missing) as error:
        if server is Op25b:
            raise
        found.missing[server.name] = str(error).removeprefix(f"{server.name}: ")
        _say(f"{case.work}: {server.name}: {error}")
        return 0.0
    found.figures.setdefault(server.name, []).append(figure)
    _say(
        f"{case.work}: {server.name}: {figure.rate:,.0f}/s, {figure.cpu:.2f} s CPU for 1,000,"
        f" p99 {figure.p99_ms:.0f} ms, client {figure.client_cpu:.0%} ({time.monotonic() - start:.0f} s)"
    )
    return figure.rate


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def rows_of(results: Results) -> list[Row]:
    """Against Postfix that only accepts, and a line about processor time where messages are small."""
    case, peer = results.case, AcceptOnly.name
    if peer not in results.rate:
        return [Row(case.work, f"{results.rate[Op25b.name].median:,.0f}/s", results.missing[peer])]
    target = "" if case.target is None else f">= {case.target:g}x"
    own, other = results.rate[Op25b.name], results.rate[peer]
    note = f"op25b {own.spread(digits=0)}, p99 {results.p99(Op25b.name):.0f} ms; Postfix {other.spread(digits=0)},"
    note += f" p99 {results.p99(peer):.0f} ms"
    rate = Row(
        f"messages a second: {case.work}",
        f"{own.median:,.0f}",
        f"{peer} {other.median:,.0f}",
        results.ratio(peer),
        note,
        target,
    )
    if case.load.size >= MIB or case.sync_us:
        return [rate]
    used, others = results.cpu(Op25b.name), results.cpu(peer)
    return [
        rate,
        Row(
            f"CPU for 1,000: {case.work}",
            f"{used:.2f} s",
            f"{peer} {others:.2f} s",
            others / used,
            "all processes of the server",
            ">= 5x",
        ),
    ]


def table(title: str, found: list[Results], cell: Callable[[Results, str], str]) -> Table:
    """A line for each case, a column for each server."""
    names = [server.name for server in SERVERS]
    lines = [[each.case.work, *(cell(each, name) if name in each.rate else "-" for name in names)] for each in found]
    return Table(title, ["", *names], lines)


def _rate(results: Results, name: str) -> str:
    ratio = results.ratio(name)
    return f"{results.rate[name].median:,.0f}" + ("" if name == Op25b.name else f" ({ratio:.1f}x)")


def reasons(found: list[Results]) -> str:
    """Why there are dashes."""
    told = {f"{name}: {why}" for each in found for name, why in each.missing.items()}
    return "; ".join(sorted(told))


def run(quick: bool) -> list[Row | Table]:
    needs("postfix", "unshare")
    if not dovecot.installed():
        raise Missing("Postfix's log-ins need Dovecot: apt install dovecot-core")
    place, rounds = disk(), 1 if quick else 3
    cases = [quicker(case) for case in (CASES[0], CASES[3], CASES[7])] if quick else list(CASES)
    with shared_folder() as shared:
        fast = [run_case(case, shared, rounds) for case in cases]
        late = [run_case(slow(case), shared, rounds) for case in cases]
    rows = [row for each in (*fast, *late) for row in rows_of(each)]
    dashes = reasons([*fast, *late])
    return [
        *rows,
        table(f"Messages a second, {place} (in brackets: op25b is so many times faster). {dashes}", fast, _rate),
        table("Seconds of processor time for 1,000 messages", fast, lambda each, name: f"{each.cpu(name):.2f}"),
        table("Messages a second, each fsync and fdatasync taking 2 ms longer", late, _rate),
    ]


def quicker(case: Case) -> Case:
    seconds = 0.5 if case.load.size < MIB else 3
    return replace(case, load=replace(case.load, seconds=seconds))


if __name__ == "__main__":
    main(run)
