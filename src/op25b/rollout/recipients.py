"""Whom a notice goes to: a CSV file, read strictly. Every bad row is named, and none is guessed at. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from op25b.answers.speech import LANGUAGES, Language
from op25b.subscribers import names

COLUMNS = ("id", "email", "language", "name", "postal_code", "address", "fax")
MOST_ROWS = 2_000_000
LONGEST = {"id": 100, "email": 254, "language": 2, "name": 100, "postal_code": 16, "address": 400, "fax": 32}
"""Characters; 254 is what a path of SMTP leaves (RFC 5321 4.5.3.1.3)."""
ADDRESS_LINES = 5

_FORMULA = ("=", "+", "-", "@", "\t")
_FAX = re.compile(r"\+?[0-9][0-9 ()-]{5,30}")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
"""Addresses that every mail program and server can take: a dot-atom (RFC 5322 3.2.3)."""
_DOMAIN = re.compile(r"(?!.{254})([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]")


@dataclass(frozen=True)
class Person:
    """One to be told. `languages`: one, or both where none was said. Empty texts for what is not known."""

    id: str
    email: str
    languages: tuple[Language, ...]
    name: str
    postal_code: str
    address: tuple[str, ...]
    fax: str

    @property
    def way(self) -> str:
        """How to reach this person."""
        return "mail" if self.email else "fax" if self.fax else "letter"


@dataclass(frozen=True)
class Fault:
    """What is wrong in a row; the header is row 1, as a spreadsheet counts."""

    row: int
    text: str


def read(lines: Iterable[str]) -> tuple[list[Person], list[Fault]]:
    """The people of a file's lines, and every fault. `lines` with their ends, as from a file opened with newline=""."""
    people: list[Person] = []
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    number = 1
    try:
        rows = csv.reader(_without_nul(lines), strict=True)
        header = next(rows, [])
        faults += _header(header)
        if faults:
            return [], faults
        for number, row in enumerate(rows, 2):
            if number > MOST_ROWS + 1:
                return [], [*faults, Fault(number, f"more than {MOST_ROWS} rows; send to them in parts")]
            if not row:
                continue
            found = _person(dict(zip(header, row, strict=False)), len(row) - len(header))
            if isinstance(found, str):
                faults.append(Fault(number, found))
            elif (before := seen.setdefault(found.id, number)) != number:
                faults.append(Fault(number, f"{found.id!r} is in row {before} already; leave one of the two"))
            else:
                people.append(found)
    except csv.Error as error:
        faults.append(Fault(number + 1, f"{error}; nothing after it was read"))
    return people, faults


def _without_nul(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if "\0" in line:
            raise csv.Error("a NUL character")
        yield line


def _header(header: Sequence[str]) -> list[Fault]:
    known = f"the columns are {', '.join(COLUMNS)}; only id is needed"
    faults = [Fault(1, f"unknown column {name[:40]!r}; {known}") for name in header if name not in COLUMNS]
    faults += [Fault(1, f"the column {name} is there twice") for name in COLUMNS if list(header).count(name) > 1]
    if "id" not in header:
        faults.append(Fault(1, f"there is no column id; {known}"))
    return faults


def _person(row: dict[str, str], surplus: int) -> Person | str:
    """The person, or what is wrong."""
    if surplus:
        return f"{abs(surplus)} values too {'many' if surplus > 0 else 'few'}; quote values that hold a comma"
    found = {name: row.get(name, "").strip(" ").replace("\r\n", "\n") for name in COLUMNS}
    for name, value in found.items():
        if (fault := _fault(name, value)) is not None:
            return fault
    language = found["language"]
    return Person(
        id=found["id"],
        email=found["email"],
        languages=(cast(Language, language),) if language else LANGUAGES,
        name=found["name"],
        postal_code=found["postal_code"],
        address=tuple(line for line in found["address"].split("\n") if line),
        fax=found["fax"],
    )


def _fault(name: str, value: str) -> str | None:
    if len(value) > LONGEST[name]:
        return f"{name} has {len(value)} characters; {LONGEST[name]} are the most"
    if not value:
        return "id is empty; write what the subscriber is called in the leases" if name == "id" else None
    # Python counts the wide space of Japanese addresses among what is not printable
    if not value.replace("\u3000", "").replace("\n", "").isprintable():
        return f"{name} holds a control character; take it out"
    if "\n" in value and name != "address":
        return f"{name} holds a line break; take it out"
    if name == "address" and value.count("\n") >= ADDRESS_LINES:
        return f"address has more than {ADDRESS_LINES} lines"
    if name != "fax" and value.startswith(_FORMULA):
        return f"{name} begins with {value[0]!r}, as a formula of a spreadsheet does; take it out"
    match name:
        case "email":
            return _email_fault(value)
        case "language" if value not in LANGUAGES:
            return f"language is {value!r}; write ja or en, or leave it empty for both"
        case "fax" if not _FAX.fullmatch(value):
            return f"fax is {value!r}, not a telephone number; write digits, spaces and hyphens"
    return None


def _email_fault(value: str) -> str | None:
    local, _, domain = value.rpartition("@")
    if len(local) > 64 or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        return f"email is {value!r}, not a mail address in ASCII; a domain beyond ASCII is written xn--..."
    try:
        names.sender(value)
    except ValueError as error:
        return f"email {value!r} {error}"
    return None
