"""Members of live sets between rows and the kernel's elements: which set each belongs to, reading, what to repair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from op25b.enforcement import elements, readback
from op25b.enforcement.elements import Addresses4, Addresses6, Elements, Intervals4, Intervals6, addresses, octets
from op25b.enforcement.members import Members, Rows, bounds, none, unique
from op25b.enforcement.netlink import Message, Netlink
from op25b.policy.intervals import by_length
from op25b.ruleset import live
from op25b.ruleset.live import KINDS, SetKind

NAME = live.TABLE.split()[1]


@dataclass(frozen=True)
class Repair:
    """What one set lacks and what it has too much. `emptied`: it holds `*`, so all of it has to go first."""

    kind: SetKind
    name: str
    missing: Elements
    extra: Elements
    emptied: bool
    present: int
    room: int

    @property
    def overfull(self) -> bool:
        """Whether it cannot hold what it should."""
        return self.present - len(self.extra) + len(self.missing) > self.room

    def messages(self, gently: bool = False) -> Iterator[Message]:
        """For one transaction; `gently`: for several, so that what is missing comes first where it can."""
        added = elements.addition(NAME, self.name, self.missing)
        removed = elements.deletion(NAME, self.name, self.extra)
        if self.emptied:
            return chain([elements.flush(NAME, self.name)], added)
        # an interval that is too much may be in the way of one that is missing
        if gently and self.kind.length is not None and self.present + len(self.missing) <= self.room:
            return chain(added, removed)
        return chain(removed, added)


def repairs(link: Netlink, size: int, wanted: Members) -> Iterator[Repair]:
    """What each set of this size needs in order to hold its part of `wanted`, which must be normal."""
    for kind in KINDS:
        for name, rows in _split(kind, size, wanted.get(kind, none(kind))):
            target, room = of(kind, rows), live.capacity(kind, size)
            found = readback.read_members(link, NAME, name)
            present = type(target)(*(column[:0] for column in target.columns())) if found is None else found.elements
            emptied = found is not None and found.catchall
            if emptied:
                yield Repair(kind, name, target, present, True, len(present), room)
                continue
            missing, extra = readback.members_difference(target, present)
            if len(missing) or len(extra):
                yield Repair(kind, name, missing, extra, False, len(present), room)


def addition(size: int, members: Members) -> Iterator[Message]:
    """The messages that add members to the sets of this size."""
    for kind, rows in members.items():
        for name, part in _split(kind, size, rows):
            yield from elements.addition(NAME, name, of(kind, part))


def removal(size: int, members: Members) -> Iterator[Message]:
    """The messages that remove them; one that is not there fails its transaction with ENOENT."""
    for kind, rows in members.items():
        for name, part in _split(kind, size, rows):
            yield from elements.deletion(NAME, name, of(kind, part))


def removal_of_those_there(link: Netlink, size: int, members: Members) -> Iterator[Message]:
    """The messages that remove those of them that are there."""
    for kind, rows in members.items():
        for name, part in _split(kind, size, rows):
            yield from elements.deletion(NAME, name, readback.those_there(link, NAME, name, of(kind, part)))


def read(link: Netlink, size: int) -> Members:
    """What the sets of this size hold, sorted."""
    found = Members()
    for kind in KINDS:
        parts = [readback.read_members(link, NAME, name) for name in live.names(kind, size)]
        rows = [rows_of(kind, part.elements) for part in parts if part is not None and len(part.elements)]
        if rows:
            found[kind] = unique(np.concatenate(rows))
    return found


def of(kind: SetKind, rows: Rows) -> Elements:
    """The rows as elements of a set. ValueError: intervals that overlap."""
    if kind.length is not None:
        return Addresses4(addresses(rows)) if kind.version == 4 else Addresses6(rows)
    first, last = (addresses(bound) for bound in bounds(kind, unique(rows)))
    return Intervals4(first, last) if kind.version == 4 else Intervals6(first, last)


def rows_of(kind: SetKind, found: Elements) -> Rows:
    """The inverse of `of`; of an interval that is no prefix, the fewest prefixes that it is."""
    if kind.length is not None:
        return octets(found.columns()[0])
    width = found.width
    rows = [
        network.to_bytes(width, "big") + bytes([length])
        for length, networks in by_length(kind.version, tuple(found.pairs())).items()
        for network in networks
    ]
    return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, width + 1)


def _split(kind: SetKind, size: int, rows: Rows) -> Iterator[tuple[str, Rows]]:
    """Each set of this kind with its part of the rows."""
    names = live.names(kind, size)
    if len(names) == 1:
        yield names[0], rows
        return
    shard = _spread(rows) % np.uint64(len(names))
    for number, name in enumerate(names):
        yield name, rows[shard == number]


def _spread(rows: Rows) -> NDArray[np.uint64]:
    """A number for each row that has nothing to do with how its neighbours are numbered (MurmurHash3's finalizer)."""
    wide = np.zeros((len(rows), 16), np.uint8)
    wide[:, : rows.shape[1]] = rows
    halves = wide.view(np.uint64)
    return _mixed(_mixed(halves[:, 0]) ^ halves[:, 1])


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        numbers = (numbers ^ (numbers >> np.uint64(33))) * np.uint64(factor)
    return numbers ^ (numbers >> np.uint64(33))
