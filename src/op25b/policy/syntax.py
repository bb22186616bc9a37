"""From bytes to a TOML document, with every fault of syntax and not the first one only.

The parser stops at its first fault. Here the statement it stopped at is blanked out, so that the rest can
still be read: columns and lines of what is left stay as they were.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from dataclasses import dataclass

from op25b.policy.faults import Fault

_HEADER = re.compile(r"\s*\[\[?\s*[\w\"'][^\[\],]*\]{0,2}\s*(#.*)?$")
_PAIR = re.compile(r"\s*(?:[\w-]+|\"[^\"]*\"|'[^']*')[\w\"'. \t-]*=")
_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_ADDRESS = re.compile(
    r"[\[ ,=](\d+\.[\d.]+\.[\d.]+(?:/\d+)?|[\da-fA-F]{1,4}:[\da-fA-F:]*:[\da-fA-F:]*(?:/\d+)?)(?=[\], ]|$)"
)
_SHORT_TIME = re.compile(r"(?:^|[T ])(\d\d:\d\d)(?=[Zz+ -]|$)")
_OPEN_TEXT = ("Unterminated", "Expected \"'''\"")
_AT_KEY = ("Expected '='", "Expected ']", "Invalid initial", "Invalid statement", "Cannot", "Duplicate")
_EFFORT = 4_000_000
"""Characters read again and again to find further faults, before the first ones must do."""


@dataclass(frozen=True)
class Reading:
    """What could be read. `text` is the file with every faulty statement blanked out; it reads as `document`."""

    document: dict[str, object]
    text: str
    faults: tuple[Fault, ...]


def decode(data: bytes) -> str | Fault:
    """The text of a policy file: UTF-8, with or without a byte order mark; or the place of the first bad byte."""
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _end(data[: error.start].decode("utf-8"))
        return Fault(line, column, f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")


def read(text: str) -> Reading:
    """Read TOML 1.0; never raises. A byte order mark is passed over, CRLF is fine."""
    lines = text.removeprefix("\ufeff").split("\n")
    faults: list[Fault] = []
    for _ in range(max(1, min(50, _EFFORT // (len(text) + 1)))):
        rest = "\n".join(lines)
        try:
            return Reading(tomllib.loads(rest), rest, tuple(faults))
        except RecursionError:
            return Reading({}, "", (*faults, Fault(1, 1, "values are nested too deep", "write them flat")))
        except ValueError as error:
            fault, first, last = _explain(str(error), lines)
        faults.append(fault)
        if not any(line.strip() for line in lines[first:last]):
            break
        lines[first:last] = [""] * (last - first)
    return Reading({}, "", tuple(faults))


def _end(text: str) -> tuple[int, int]:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _explain(message: str, lines: list[str]) -> tuple[Fault, int, int]:
    """The fault, and the lines (first included, last not) of the statement that it spoils."""
    found = _PLACE.search(message)
    if found is None:
        # not about syntax: a number longer than Python converts
        row = next((row for row, line in enumerate(lines) if re.search(r"[\d_]{4300}", line)), 0)
        return Fault(row + 1, 1, "a number is far too long", "write a shorter one"), row, row + 1
    kind = message[: found.start()]
    if found[1]:
        row, column = int(found[1]) - 1, int(found[2]) - 1
        first, last = _statement(lines, row, column, kind)
    else:
        # what is not closed at the end of the file began with its last statement, or with its last long text
        long = [row for row, line in enumerate(lines) if '"""' in line or "'''" in line]
        row, column = (long[-1] if long and kind.startswith(_OPEN_TEXT) else len(lines) - 1), 0
        first, last = _statement(lines, row, column, kind)[0], len(lines)
    what, mend = _words(kind, lines[row], column, lines[first].strip(), first)
    if not found[1] or kind.startswith(("Cannot", "Duplicate")):
        row, column = first, len(lines[first]) - len(lines[first].lstrip())
    return Fault(row + 1, column + 1, what, mend), first, last


def _statement(lines: list[str], row: int, column: int, kind: str) -> tuple[int, int]:
    """The lines of the statement in which the parser stopped; with a table's header goes the whole table."""
    first = row
    if kind.startswith("Unclosed") and row and not lines[row][:column].strip():
        # it stopped at the next statement
        first -= 1
    while first and not kind.startswith(_AT_KEY) and not _starts(lines[first]):
        first -= 1
    header = _HEADER.match(lines[first])
    last = max(first + 1, row)
    while last < len(lines) and not (_HEADER.match(lines[last]) if header else _starts(lines[last])):
        last += 1
    if _over_the_line(kind, lines[row][column:]):
        last = next((end + 1 for end in range(row, len(lines)) if "}" in lines[end]), last)
    return first, last


def _over_the_line(kind: str, rest: str) -> bool:
    """Whether an inline table breaks its line, which TOML 1.0 does not allow."""
    return kind.startswith("Invalid initial") and not rest.strip()


def _starts(line: str) -> bool:
    return bool(_PAIR.match(line) or _HEADER.match(line))


def _words(kind: str, line: str, column: int, statement: str, first: int) -> tuple[str, str]:
    """What is wrong and what to write, from what the parser says and what stands there."""
    rest = line[column:].strip()
    address = _ADDRESS.search(line.partition("#")[0])
    if address and kind.startswith(("Invalid value", "Unclosed array", "Expected newline")):
        return f"{address[1]} is not in quotes", f'write "{address[1]}"'
    if kind.startswith("Invalid value"):
        return _bad_value(rest)
    if kind.startswith("Unclosed array"):
        return f"the list that begins in line {first + 1} is not closed", "write ',' between its values and ']' after"
    if _over_the_line(kind, rest):
        return "an inline table breaks its line", "write it on one line, or as a table with a [header]"
    time = _SHORT_TIME.search(statement.partition("=")[2].partition("#")[0].strip())
    if time and kind.startswith("Expected newline"):
        return f"{time[1]} has no seconds", f"write {time[1]}:00"
    if kind.startswith(("Cannot", "Duplicate")):
        if statement.startswith("["):
            return f"{_cut(statement)} is there already", "write each table once, or [[...]] for several of a kind"
        return f"{_cut(statement.partition('=')[0].strip())} has a value already", "write each key once in a table"
    known = next((words for start, words in _KINDS.items() if kind.startswith(start)), None)
    return known or (f"{_cut(rest or statement)} is not TOML", 'write a line such as name = "value"')


_NOT_CLOSED = ("a text is not closed", "write the same quote at its end")
_CONTROL = ("a control character does not belong here", "take it out")
_KINDS = {
    "Unclosed inline": ("an inline table is not closed", "write '}' on the same line"),
    "Unterminated": _NOT_CLOSED,
    "Expected \"'": _NOT_CLOSED,
    "Illegal character '\\n'": _NOT_CLOSED,
    "Illegal character '\\r'": _NOT_CLOSED,
    "Illegal character": _CONTROL,
    "Found invalid character": _CONTROL,
    "Expected '='": ("a key has no '=' after it", "write key = value, with the key in quotes if it has spaces"),
    "Expected newline": ("something follows the value", "write one key = value a line, a text in quotes"),
    "Expected ']": ("a table header is not closed", "write [name] or [[name]] alone on the line"),
    "Unescaped '\\'": ("a backslash in a text says nothing", "write '\\\\' for one, or the text in single quotes"),
    "Invalid date": ("there is no such date or time", "write one that is in the calendar"),
    "Invalid initial": ("a key is missing here", "write key = value"),
}
"""Beginnings of the parser's messages, more special ones first."""


def _bad_value(rest: str) -> tuple[str, str]:
    word = re.match(r"[^\s,\]}#=]*", rest)
    value = word[0] if word else ""
    if not value:
        return "a value is missing or not finished", 'write one: "text", 25, true, a time, or ["a", "list"]'
    if value.lower() in ("true", "false"):
        return f"{value} is not how TOML writes it", f"write {value.lower()}"
    if value.lower() in ("yes", "no", "on", "off"):
        return f"{value} is not a value", f"write {'true' if value.lower() in ('yes', 'on') else 'false'}"
    return f"{_cut(value)} is not a value", f'write text in quotes, "{_cut(value)}"'


def _cut(text: str) -> str:
    """What is there, fit for one line of a terminal."""
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= 60 else f"{text[:57]}..."
