"""A whole file to facts, or to all of its faults. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from op25b.subscribers.faults import Fault
from op25b.subscribers.leases.facts import FOREVER, Claim, Fact, Release, canonical
from op25b.subscribers.leases.files import dnsmasq, kea
from op25b.subscribers.leases.files.entry import Runs, Subscribers

Format = Literal["kea", "dnsmasq", "csv"]
LINE_OCTETS = 65_536
"""Longest line; Kea's user contexts may be long."""
_CSV = ("subscriber", "prefix", "started")
_CSV_OPTIONAL = ("ended", "session")


@dataclass
class Read:
    """What a file says. With a fault nothing of it should be used: the rest may be about something else."""

    facts: list[Fact] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    more: bool = False
    """Of a file that is followed: whether there is more to read at once."""


def read(octets: bytes, kind: Format, source: str, subscribers: Subscribers, written: datetime) -> Read:
    """The facts of a file that was written at `written`; never raises.

    `source` is the name that its facts get: the same for each version of a file, so that they add up.
    """
    found = Read()
    lines = _lines(octets, found)
    if kind == "csv":
        _read_csv(lines, source, found)
        return found
    runs, columns = Runs(source, {}), None
    for number, line in lines:
        try:
            if kind == "kea" and columns is None:
                columns = kea.Columns(line)
                continue
            entry = dnsmasq.entry(line, written) if columns is None else columns.entry(line)
            if entry is not None:
                found.facts += runs.facts(entry, subscribers)
        except ValueError as fault:
            found.faults.append(Fault(number, str(fault)))
            if kind == "kea" and columns is None:
                break
    return found


def _lines(octets: bytes, found: Read) -> Iterator[tuple[int, str]]:
    """Whole lines with their numbers; what is none becomes a fault."""
    *whole, rest = octets.split(b"\n")
    for number, line in enumerate(whole, start=1):
        try:
            text = decoded(line)
        except ValueError as fault:
            found.faults.append(Fault(number, str(fault)))
            continue
        if text:
            yield number, text
    if rest:
        what = "the file ends in the middle of this line; take a whole copy, or end the line"
        found.faults.append(Fault(len(whole) + 1, what))


def decoded(line: bytes) -> str:
    """A line without its end. Raises ValueError if it is too long or not UTF-8."""
    if len(line) > LINE_OCTETS:
        raise ValueError(f"it has more than {LINE_OCTETS} octets")
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


def _read_csv(lines: Iterator[tuple[int, str]], source: str, found: Read) -> None:
    header: list[str] | None = None
    for number, line in lines:
        try:
            fields = next(csv.reader([line], strict=True))
            if header is None:
                header = _header(fields)
                continue
            if len(fields) != len(header):
                raise ValueError(f"it has {len(fields)} fields; the header has {len(header)}")
            found.facts += _csv_facts(dict(zip(header, fields, strict=True)), source)
        except (ValueError, csv.Error) as fault:
            found.faults.append(Fault(number, str(fault)))
            if header is None:
                return


def _header(fields: list[str]) -> list[str]:
    names = [name.strip().lower() for name in fields]
    if missing := [name for name in _CSV if name not in names]:
        raise ValueError(f"the header has no column {missing[0]}; write {','.join((*_CSV, *_CSV_OPTIONAL))}")
    if other := [name for name in names if name not in _CSV + _CSV_OPTIONAL]:
        raise ValueError(f"the column {other[0]!r} is not known; there are {', '.join(_CSV + _CSV_OPTIONAL)}")
    return names


def _csv_facts(row: dict[str, str], source: str) -> Iterator[Fact]:
    """One who held a prefix from an instant on, to another, or until somebody else claims it."""
    subscriber, prefix = row["subscriber"].strip(), canonical(row["prefix"].strip())
    started = _time("started", row["started"])
    session = row.get("session", "").strip() or f"{prefix} {started.isoformat()}"
    yield Claim(source, session, subscriber, (prefix,), started, started, FOREVER)
    if ended := row.get("ended", "").strip():
        yield Release(source, session, subscriber, (prefix,), _time("ended", ended), started)


def _time(name: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{name} {text[:40]!r} is not a time; write 2026-04-01T09:00:00+09:00") from None
    if at.tzinfo is None:
        raise ValueError(f"{name} {text[:40]!r} has no offset from UTC; write {at.isoformat()}+09:00, say")
    return at
