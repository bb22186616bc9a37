"""Flow files, CSV or Parquet, read in batches of rows, so that a file may be larger than memory."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from op25b.errors import UserError

BLOCK = 1 << 23
"""Bytes of CSV in a batch."""
ROWS = 1 << 17
"""Rows of Parquet in a batch."""

_CODECS = {".gz": "gzip", ".zst": "zstd"}
_SEAL = "\0end of flows\0"
"""A last line that is put after every CSV file: if it does not come out again, a quoted field was left open."""


@dataclass
class Batch:
    """Some rows of a file, and by row what is wrong with those that have too few or too many fields."""

    columns: Any
    misshapen: dict[int, str] = field(default_factory=dict)


@dataclass
class FlowFile:
    """An open file: its columns' names and types, and its rows."""

    schema: Any
    batches: Iterable[Batch]


def read(path: Path) -> FlowFile:
    """Open a flow file. CSV is read as text throughout, and may be compressed if its name says so (.gz, .zst).

    Raises UserError for what is neither CSV nor Parquet, here or from the batches, and OSError as it comes.
    """
    try:
        if _is_parquet(path):
            file = pq.ParquetFile(path)
            return FlowFile(file.schema_arrow, _parquet_batches(path, file))
        return _read_csv(path)
    except pa.ArrowException as error:
        raise UserError(f"{path}: {_plain(error)}") from None


def _is_parquet(path: Path) -> bool:
    """By its name, or by what it begins with; what is not a regular file can only be read from front to end."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix == ".parquet" or file.read(4) == b"PAR1"


def _parquet_batches(path: Path, file: Any) -> Iterator[Batch]:
    try:
        yield from map(Batch, file.iter_batches(ROWS))
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: {_plain(error)}") from None


class _Sealed:
    """The bytes of a file, checked to be UTF-8, with the seal after them."""

    closed = False

    def __init__(self, path: Path) -> None:
        self.path = path
        file = path.open("rb")
        codec = _CODECS.get(path.suffix)
        self.stream = pa.CompressedInputStream(file, codec) if codec else file
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.lines = 1
        self.rest = f"\n{_SEAL}\n".encode()

    def read(self, size: int) -> bytes:
        data: bytes = self.stream.read(size)
        try:
            self.decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            line = self.lines + data[: error.start].count(b"\n")
            raise UserError(f"{self.path}: line {line} is not UTF-8; convert the file, with iconv or such") from None
        self.lines += data.count(b"\n")
        if not data:
            data, self.rest = self.rest, b""
        return data


def _read_csv(path: Path) -> FlowFile:
    misshapen: deque[Any] = deque()

    def note(row: Any) -> str:
        misshapen.append(row)
        return "skip"

    reader = pa.csv.open_csv(
        pa.PythonFile(_Sealed(path), mode="r"),
        # one thread, for only then a misshapen row has a number
        pa.csv.ReadOptions(use_threads=False, block_size=BLOCK),
        pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
        pa.csv.ConvertOptions(default_column_type=pa.string(), strings_can_be_null=False, check_utf8=False),
    )
    if reader.schema.names == [_SEAL]:
        raise UserError(f"{path} is empty; write CSV with a header, or Parquet")
    if len(reader.schema) == 1:
        raise UserError(f"{path}: one column only, {reader.schema.names[0]!r}; write CSV with commas, or Parquet")
    return FlowFile(reader.schema, _csv_batches(path, reader, misshapen))


def _csv_batches(path: Path, reader: Any, misshapen: deque[Any]) -> Iterator[Batch]:
    """The reader's batches, with the misshapen rows, which it leaves out, back in their places."""
    done = 0
    nothing = pa.RecordBatch.from_pylist([], schema=reader.schema)
    try:
        for columns in reader:
            batch = _put_back(columns, misshapen, done)
            done += batch.columns.num_rows
            yield batch
    except pa.ArrowException as error:
        raise UserError(f"{path}: after row {done}: {_plain(error)}") from None
    if misshapen and misshapen[-1].text == _SEAL:
        misshapen.pop()
    else:
        raise UserError(f"{path}: after row {done}: a quoted field is not closed; write its closing quote")
    if misshapen:
        yield _put_back(nothing, misshapen, done)


def _put_back(columns: Any, misshapen: deque[Any], done: int) -> Batch:
    """The rows from number `done` on, with those of `misshapen` (taken from the queue) that belong among them.

    The header is row 1 for the reader, and it counts no empty lines; here the first row after the header is 0.
    """
    pieces: list[Any] = []
    faults: dict[int, str] = {}
    taken = 0
    while misshapen and misshapen[0].text != _SEAL:
        place = misshapen[0].number - 2 - done
        if place - len(faults) > columns.num_rows:
            break
        row = misshapen.popleft()
        pieces += [columns.slice(taken, place - len(faults) - taken), _padded(row.text, columns.schema)]
        taken = place - len(faults)
        kept = f"; only the first {row.expected_columns} are kept" if row.actual_columns > row.expected_columns else ""
        faults[place] = f"has {row.actual_columns} fields, and the header has {row.expected_columns}{kept}"
    if not faults:
        return Batch(columns)
    pieces.append(columns.slice(taken))
    return Batch(pa.Table.from_batches(pieces).combine_chunks().to_batches()[0], faults)


def _padded(text: str, schema: Any) -> Any:
    """One row, cut or filled up to the columns of `schema`."""
    try:
        fields = next(csv.reader([text]))
    except csv.Error:
        fields = [text]
    width = len(schema)
    fields = [*fields, *[""] * width][:width]
    return pa.RecordBatch.from_arrays([pa.array([each], pa.string()) for each in fields], schema=schema)


def _plain(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
