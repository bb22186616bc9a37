"""`explain --batch`: a verdict for every row of a flow file, in the file's order."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import typer
from rich.console import Console

from op25b.cli import columns, flowfile, output
from op25b.cli.columns import Addresses, Faults
from op25b.cli.flowsink import ADDED, sink
from op25b.cli.live import Judges
from op25b.errors import UserError
from op25b.policy.batch import BatchJudge, Bool, Column6, Int32
from op25b.policy.model import Policy
from op25b.store import Store

REQUIRED = ("src", "dst", "dport", "at")
OPTIONAL = ("sport", "proto")
SHOWN = 20
"""Bad rows that are reported one by one; of the rest only the number."""


def explain(policy: Policy, path: Path, out: Path | None, store: Store | None) -> None:
    """Write the rows of `path` with verdict, reason and rule to `out`, or as CSV to standard output.

    Rows that cannot be judged keep their place, with these three empty, and are reported; exit status 2 then.
    """
    flows = flowfile.read(path)
    where = _columns(path, flows.schema.names)
    judges = Judges(policy, store)
    rows = bad = 0
    seen = Console(stderr=True, quiet=out is None and sys.stdout.isatty())
    try:
        with sink(out, flows.schema) as target, seen.status("reading") as status:
            for batch in flows.batches:
                faults = Faults(batch.misshapen)
                read = Flows.of({name: batch.columns.column(i) for name, i in where.items()}, faults)
                judge = judges.of(read.src, read.dst, read.rest["at"], read.good)
                numbers = read.judged(judge)
                target.write(batch.columns, judge.outcomes, numbers)
                for row in sorted(faults.rows)[: max(0, SHOWN - bad)]:
                    output.note(f"{path}: row {rows + row + 1}: {faults.rows[row]}")
                rows, bad = rows + len(numbers), bad + len(faults.rows)
                status.update(f"{rows:,} rows")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"{path}: {error}") from None
    if bad:
        output.note(f"{path}: {bad} of {rows} rows could not be judged; their verdict is left empty")
        raise typer.Exit(2)


def _columns(path: Path, names: list[str]) -> dict[str, int]:
    """Where the columns of a flow are among all of them; raises UserError when one is missing or there twice."""
    for name in (*REQUIRED, *OPTIONAL):
        if names.count(name) > 1:
            raise UserError(f"{path}: two columns are named {name}; rename the one that is not meant")
    if missing := [name for name in REQUIRED if name not in names]:
        raise UserError(f"{path}: no column {', '.join(missing)} among {', '.join(names)}; write a header that has it")
    if taken := [name for name in ADDED if name in names]:
        raise UserError(f"{path}: there is a column {', '.join(taken)} already; rename it or leave it out")
    return {name: names.index(name) for name in (*REQUIRED, *OPTIONAL) if name in names}


@dataclass(frozen=True)
class Flows:
    """The columns of flows, read; `good`: the rows without a fault. `rest`: dport, at, sport and proto."""

    src: Addresses
    dst: Addresses
    rest: dict[str, Any]
    good: Bool

    @classmethod
    def of(cls, flows: dict[str, Any], faults: Faults) -> Self:
        """What is wrong with rows is added to `faults`."""
        src = columns.addresses(flows["src"], "src", faults)
        dst = columns.addresses(flows["dst"], "dst", faults)
        mixed = np.flatnonzero((src.version != dst.version) & (src.version > 0) & (dst.version > 0))
        faults.add(mixed, lambda row: "src and dst are of different families")
        rest: dict[str, Any] = {
            "dport": columns.ports(flows["dport"], "dport", faults),
            "at": columns.instants(flows["at"], "at", faults),
            # no sport: it is not known, so it is not 25
            "sport": columns.ports(flows["sport"], "sport", faults, empty=0) if "sport" in flows else None,
            "proto": columns.protocols(flows["proto"], "proto", faults) if "proto" in flows else None,
        }
        good = np.ones(len(src.version), np.bool_)
        good[list(faults.rows)] = False
        return cls(src, dst, rest, good)

    def judged(self, judge: BatchJudge) -> Int32:
        """Numbers of the outcomes of all rows; -1 for those with a fault."""
        src, dst, rest = self.src, self.dst, self.rest
        answer = np.full(len(self.good), -1, np.int32)
        four = self.good & (src.version == 4)
        if four.all():
            return judge.v4(src.v4, dst.v4, **rest)
        if four.any():
            answer[four] = judge.v4(src.v4[four], dst.v4[four], **_where(rest, four))
        six = self.good & (src.version == 6)
        if six.any():
            answer[six] = judge.v6(_halves(src, six), _halves(dst, six), **_where(rest, six))
        return answer


def _where(rest: dict[str, Any], rows: Bool) -> dict[str, Any]:
    return {name: None if column is None else column[rows] for name, column in rest.items()}


def _halves(column: Addresses, rows: Bool) -> Column6:
    return column.high[rows], column.low[rows]
