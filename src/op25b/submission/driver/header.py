"""What submission must know of a message's header (RFC 6409 8): who it says to be from, and what it lacks. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.policy import SMTP

MAX_FROM = 8192
"""Octets of a From field that is looked at; a longer one counts as unreadable."""

# Of a header with a newline before it: looking for that octet is 10 times as fast as for a line's beginning.
_FIELDS = re.compile(rb"\n(from|date|message-id|received)[ \t]*:([^\r]*(?:\r\n[ \t][^\r]*)*)", re.IGNORECASE)
_NO_FIELD = re.compile(rb"\n(?![!-9;-~]+[ \t]*:|[ \t])[^\n]")
_ADDRESS = r"[^\s<>()\[\],:;@\"\\]+@[^\s<>()\[\],:;@\"\\]+"
_PLAIN = re.compile(rf"({_ADDRESS})|(?:\"(?:[^\"\\]|\\.)*\"|[^<>()\[\],:;@\"\\]*)\s*<({_ADDRESS})>")
"""The two ways in which nearly every From is written; for the others there is a full parser, 100 times slower."""


@dataclass(frozen=True, slots=True)
class Header:
    """`authors`: the addresses of the one From field; () if there is none, are several, or it cannot be read."""

    authors: tuple[str, ...]
    has_date: bool
    has_message_id: bool
    hops: int
    """Received fields."""
    well_formed: bool
    """Every line is a field's or goes on with one: a field may be added after the last."""


def split(data: bytes | bytearray, start: int) -> int:
    """Where the header ends: after its last line's CRLF, before the empty line; -1: not yet. `start`: looked at before.

    A message may begin with the empty line, or with no header at all.
    """
    if data.startswith(b"\r\n"):
        return 0
    found = data.find(b"\r\n\r\n", max(0, start - 3))
    return found + 2 if found >= 0 else -1


def read(header: bytes) -> Header:
    """Of the bytes of a header, each line ended by CRLF."""
    values: dict[bytes, list[bytes]] = {b"from": [], b"date": [], b"message-id": [], b"received": []}
    lines = b"\n" + header
    for field in _FIELDS.finditer(lines):
        values[field[1].lower()].append(field[2])
    authors = _authors(values[b"from"][0]) if len(values[b"from"]) == 1 else ()
    well_formed = _NO_FIELD.search(lines) is None
    return Header(authors, bool(values[b"date"]), bool(values[b"message-id"]), len(values[b"received"]), well_formed)


def _authors(value: bytes) -> tuple[str, ...]:
    if len(value) > MAX_FROM:
        return ()
    text = value.decode("utf-8", "replace").replace("\r\n", "").strip()
    if found := _PLAIN.fullmatch(text):
        return (found[1] or found[2],)
    try:
        parsed = SMTP.header_factory("From", text)
        addresses: tuple[Address, ...] = parsed.addresses
    except Exception:  # the standard library's parser has raised nearly anything
        return ()
    if parsed.defects or not all(each.username and each.domain for each in addresses):
        return ()
    return tuple(f"{each.username}@{each.domain}" for each in addresses)
