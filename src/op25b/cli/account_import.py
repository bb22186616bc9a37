"""account import: from a passwd-file to the store, with every bad line named."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import track

from op25b.cli import output
from op25b.errors import UserError
from op25b.store.audit import By
from op25b.subscribers.accounts import Accounts, New
from op25b.subscribers.faults import Fault
from op25b.subscribers.importing import Line, parse
from op25b.subscribers.passwords import Hasher, Secret


@dataclass(frozen=True)
class Done:
    """What an import did."""

    added: int
    existing: int
    faults: list[Fault]

    def shown(self) -> dict[str, Any]:
        faults = [{"line": fault.number, "fault": fault.text} for fault in self.faults]
        return {"added": self.added, "existing": self.existing, "faults": faults}


@dataclass(frozen=True)
class Source:
    """A passwd-file, and the domain with which names without @ send."""

    name: str
    octets: bytes
    domain: str | None


def run(accounts: Accounts, source: Source, skip_bad: bool, skip_existing: bool, by: By) -> Done:
    """Import in one transaction. Raises UserError, naming all bad lines, if there is one and they are not skipped."""
    taken = {account.name for account in accounts.all()}
    lines, faults = parse(source.octets, source.domain, lambda name: not skip_existing and name in taken)
    new = [line for line in lines if line.name not in taken]
    told = [f"{source.name}:{fault.number}: {fault.text}" for fault in faults]
    if faults and not skip_bad:
        raise UserError("\n".join([*told, "nothing was imported; --skip-bad imports the other lines"]))
    for fault in told:
        output.note(fault)
    accounts.add(_accounts(new, Hasher(os.urandom)), by)
    return Done(len(new), len(lines) - len(new), faults)


def _accounts(lines: list[Line], hasher: Hasher) -> Iterator[New]:
    clear = [line for line in lines if line.secret is None]
    made = dict(zip((line.name for line in clear), _hashed(clear, hasher), strict=True))
    for line in lines:
        yield New(line.name, line.secret or made[line.name], line.senders, {}, line.suspended)


def _hashed(lines: list[Line], hasher: Hasher) -> Iterable[Secret]:
    if not lines:
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        secrets = pool.map(lambda line: hasher.make(line.password or ""), lines)
        quiet = not sys.stderr.isatty()
        yield from track(secrets, "hashing", len(lines), console=Console(stderr=True), transient=True, disable=quiet)
