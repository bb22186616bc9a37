"""Whom mail does not reach, of those that `op25b notify` is for: letters and faxes as PDF, and a list."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal

from rich.console import Console
from rich.progress import track

from op25b.cli.notify_run import Run
from op25b.errors import Missing
from op25b.rollout.recipients import Person
from op25b.rollout.records import Records


@dataclass(frozen=True)
class Files:
    """Where to; None: not wanted."""

    letters: Path | None
    faxes: Path | None
    unreached: Path | None


def write(run: Run, records: Records, files: Files) -> dict[str, int]:
    """Write the files; who is in one of the PDFs has been told. How many letters, faxes, and people left."""
    why = records.to_print(run.phase.name, run.notice.name)
    people = [person for person in run.people if person.id in why]
    if files.unreached is not None:
        _list(people, why, files.unreached)
    counts = {}
    for way, path in (("letter", files.letters), ("fax", files.faxes)):
        chosen = [person for person in people if _way(person) == way] if path is not None else []
        if path is not None and chosen:
            _print(run, records, way, chosen, path)
        counts["letters" if way == "letter" else "faxes"] = len(chosen)
    return counts | {"unreached": len(people) - sum(counts.values())}


def _way(person: Person) -> Literal["fax", "letter"] | None:
    """A fax is there at once; None: there is neither a number nor an address."""
    return "fax" if person.fax else "letter" if person.address else None


def _print(run: Run, records: Records, way: str, people: list[Person], path: Path) -> None:
    printing = _printing()
    quiet, terminal = not sys.stderr.isatty(), Console(stderr=True)
    starts = range(0, len(people), printing.AT_ONCE)
    for start in track(starts, "printing", console=terminal, transient=True, disable=quiet):
        chosen = people[start : start + printing.AT_ONCE]
        part = path if not start else path.with_stem(f"{path.stem}-{start // printing.AT_ONCE + 1}")
        printing.write((run.texts.paper(way, person) for person in chosen), part)
        records.printed(run.phase.name, run.notice.name, [person.id for person in chosen], run.by)


def _printing() -> ModuleType:
    try:
        return import_module("op25b.rollout.printing")
    except OSError as error:  # of the libraries behind it
        raise Missing(
            f"PDF cannot be made ({str(error).splitlines()[0]}); to get what it needs: "
            "sudo apt-get install --no-install-recommends libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-cjk"
        ) from None


def _list(people: list[Person], why: dict[str, str], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "email", "name", "postal_code", "address", "fax", "why"))
        for each in people:
            address = "\n".join(each.address)
            rows.writerow((each.id, each.email, each.name, each.postal_code, address, each.fax, why[each.id]))
