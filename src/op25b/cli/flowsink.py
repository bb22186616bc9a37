"""Where judged flows go: CSV on standard output, or a CSV or Parquet file that appears when it is complete."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from op25b.errors import UserError
from op25b.policy.batch import Int32
from op25b.policy.verdict import Outcome

ADDED = ("verdict", "reason", "rule")
_STRUCTURE = (b'"', b",", b"\n", b"\r")


class Sink(Protocol):
    """Takes batches of rows in order."""

    def write(self, columns: Any, outcomes: list[Outcome], numbers: Int32) -> None:
        """Rows with the outcomes that `numbers` point to; -1 leaves the added columns of a row empty."""


class _Csv:
    def __init__(self, out: BinaryIO, schema: Any) -> None:
        self.out = out
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow([*schema.names, *ADDED])
        out.write(header.getvalue().encode())

    def write(self, columns: Any, outcomes: list[Outcome], numbers: Int32) -> None:
        # names in a policy hold nothing that CSV would have to quote
        ends = pa.array([*(",".join(outcome).encode() + b"\n" for outcome in outcomes), b",,\n"])
        last = ends.take(pa.array(numbers % len(ends)))
        lines = pc.binary_join_element_wise(*map(_field, columns.columns), last, b",")
        if len(lines):
            # the texts of an array lie one after the other in one buffer
            self.out.write(lines.buffers()[2])


def _field(column: Any) -> Any:
    """A column as fields of CSV (RFC 4180), quoted where they must be."""
    text = column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
    text = pc.fill_null(text.cast(pa.binary()), b"")
    data = text.buffers()[2]
    if data is None or not any(mark in data.to_pybytes() for mark in _STRUCTURE):
        return text
    marked = pc.match_substring(text, _STRUCTURE[0])
    for mark in _STRUCTURE[1:]:
        marked = pc.or_(marked, pc.match_substring(text, mark))
    doubled = pc.replace_substring(text, b'"', b'""')
    return pc.if_else(marked, pc.binary_join_element_wise(b'"', doubled, b'"', b""), text)


class _Parquet:
    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def write(self, columns: Any, outcomes: list[Outcome], numbers: Int32) -> None:
        which = pa.array(numbers, mask=numbers < 0)
        added = [pa.array([str(part) for part in parts]).take(which) for parts in zip(*outcomes, strict=True)]
        self.writer.write_batch(pa.RecordBatch.from_arrays([*columns.columns, *added], schema=self.writer.schema))


@contextmanager
def sink(path: Path | None, schema: Any) -> Iterator[Sink]:
    """A sink for rows of `schema`: standard output, or a file, which replaces what was there only at a good end."""
    if path is None:
        sys.stdout.flush()
        yield _Csv(sys.stdout.buffer, schema)
        sys.stdout.buffer.flush()
        return
    if path.suffix not in (".csv", ".parquet"):
        raise UserError(f"--out {path} is of no known kind; write a name that ends in .csv or .parquet")
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as out:
            if path.suffix == ".csv":
                yield _Csv(out, schema)
            else:
                full = schema
                for name in ADDED:
                    full = full.append(pa.field(name, pa.string()))
                with pq.ParquetWriter(out, full) as writer:
                    yield _Parquet(writer)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
