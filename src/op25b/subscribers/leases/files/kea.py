"""Kea's lease files of the memfile backend: CSV to which a line is added for each change. Pure.

Columns are found by the header, as Kea does (src/lib/dhcpsrv/csv_lease_file4.cc and csv_lease_file6.cc); a comma within
a field is written `&#x2c`. The last line of an address counts.
"""

from __future__ import annotations

from datetime import UTC, datetime

from op25b.subscribers.leases.facts import FOREVER, canonical
from op25b.subscribers.leases.files.entry import Entry, Identity

_NEEDED = ("address", "valid_lifetime", "expire")
_IDENTITIES: tuple[tuple[Identity, str], ...] = (("hw-address", "hwaddr"), ("client-id", "client_id"), ("duid", "duid"))
_ASSIGNED = {"", "0", "4"}
"""States of a lease that somebody has: assigned (also where an old file has no states), and registered."""
_RECLAIMED = "2"
_INFINITE = 0xFFFFFFFF


class Columns:
    """The columns of one file. Raises ValueError for a line that is no header of a lease file."""

    def __init__(self, header: str) -> None:
        names = header.split(",")
        if missing := [name for name in _NEEDED if name not in names]:
            raise ValueError(f"this is no header of a lease file of Kea: it has no column {missing[0]}")
        self._places = {name: place for place, name in enumerate(names)}
        self._least = 1 + max(self._places[name] for name in _NEEDED)

    def entry(self, line: str) -> Entry:
        """What a line says. Raises ValueError."""
        fields = line.split(",")
        if not self._least <= len(fields) <= len(self._places):
            raise ValueError(f"it has {len(fields)} fields; the header has {len(self._places)}")

        def of(name: str) -> str:
            place = self._places.get(name, len(fields))
            return fields[place] if place < len(fields) else ""

        lifetime, expire = _number(of("valid_lifetime")), _number(of("expire"))
        at, state = _instant(expire - lifetime), of("state")
        until = FOREVER if lifetime == _INFINITE else _instant(expire)
        held = lifetime > 0 and state in _ASSIGNED
        known_as = {identity: text for identity, column in _IDENTITIES if (text := of(column).lower())}
        # a lease that Kea took back by itself was held until its end
        over = until if state == _RECLAIMED else at
        return Entry(known_as, self._prefix(of("address"), of("prefix_len")), at if held else over, until, held)

    def _prefix(self, address: str, length: str) -> str:
        return canonical(f"{address}/{_number(length)}" if length else address)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise ValueError(f"{text[:20]!r} is not a number")
    return int(text)


def _instant(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{seconds} is not a time") from None
