"""What live sets hold, as arrays, on both sides of the enforcer's socket. Pure.

`Members`: for each kind of set its prefixes, one a row of octets, most significant first: the network address (4 or
16), and for kinds without a length of their own one octet more, the prefix length. A million of them are a few arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from op25b.policy.intervals import Version
from op25b.ruleset.live import SetKind

Rows = NDArray[np.uint8]
Members = dict[SetKind, Rows]
OCTETS: dict[Version, int] = {4: 4, 6: 16}
_MASKS = {  # the network mask of every length, (33, 4) and (129, 16)
    version: np.packbits(np.tri(8 * octets + 1, 8 * octets, -1, np.uint8), axis=1) for version, octets in OCTETS.items()
}


@dataclass(frozen=True)
class Delta:
    """A change: what is to be there after it, and what is not. The same prefix in both: it is there."""

    add: Members = field(default_factory=dict)
    remove: Members = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(count(self.add) or count(self.remove))


def count(members: Members) -> int:
    """Of all kinds together."""
    return sum(len(rows) for rows in members.values())


def row_octets(kind: SetKind) -> int:
    """How wide a row of this kind is."""
    return OCTETS[kind.version] + (kind.length is None)


def none(kind: SetKind) -> Rows:
    """No members."""
    return np.zeros((0, row_octets(kind)), np.uint8)


def lengths(kind: SetKind, rows: Rows) -> NDArray[Any]:
    """The prefix length of each row."""
    return rows[:, -1] if kind.length is None else np.full(len(rows), kind.length, np.uint8)


def bounds(kind: SetKind, rows: Rows) -> tuple[Rows, Rows]:
    """(first, last) address of each row, (n, 4) or (n, 16). ValueError: no such length, or bits beyond it."""
    masks = _MASKS[kind.version]
    if kind.length is None and (rows[:, -1] >= len(masks)).any():
        raise ValueError("a prefix is longer than an address")
    mask = masks[rows[:, -1]] if kind.length is None else masks[kind.length]
    first = rows[:, : OCTETS[kind.version]]
    if (first & ~mask).any():
        raise ValueError("an address has bits beyond the length of its prefix")
    return first, first | ~mask


def normal(members: Members) -> Members:
    """The same addresses, sorted, each prefix once, and in kinds of any length none within another."""
    return {kind: _disjoint(kind, unique(rows)) for kind, rows in members.items() if len(rows)}


def difference(wanted: Members, present: Members) -> Delta:
    """What turns `present` into `wanted`; both are made normal first."""
    wanted, present = normal(wanted), normal(present)
    add, remove = Members(), Members()
    for kind in {**wanted, **present}:
        ours, theirs = wanted.get(kind, none(kind)), present.get(kind, none(kind))
        mine, other = sortable(ours), sortable(theirs)
        if (gained := absent(mine, other)).any():
            add[kind] = ours[gained]
        if (lost := absent(other, mine)).any():
            remove[kind] = theirs[lost]
    return Delta(add, remove)


def overlapping(kind: SetKind, rows: Rows) -> bool:
    """Whether any of these sorted rows is within another."""
    first, last = (sortable(bound) for bound in bounds(kind, rows))
    return bool((first[1:] <= last[:-1]).any())


def sortable(rows: NDArray[np.uint8]) -> NDArray[Any]:
    """One value a row which sorts as the row's octets do."""
    rows = np.ascontiguousarray(rows)
    width = rows.shape[1]
    if width in (4, 8):
        return rows.view(f">u{width}").ravel().astype(f"=u{width}")
    return rows.view(f"S{width}").ravel()  # NumPy drops trailing NULs, alike on both sides of a comparison


def absent(wanted: NDArray[Any], present: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of `wanted` are not among `present`. np.isin would sort the two together, which takes longer."""
    present = np.sort(present)
    place = np.searchsorted(present, wanted)
    found = np.zeros(len(wanted), bool)
    inside = place < len(present)
    found[inside] = present[place[inside]] == wanted[inside]
    return ~found


def unique(rows: Rows) -> Rows:
    """Sorted, each once."""
    keys = sortable(rows)
    if (keys[1:] > keys[:-1]).all():
        return rows
    return rows[np.unique(keys, return_index=True)[1]]


def _disjoint(kind: SetKind, rows: Rows) -> Rows:
    if kind.length is not None or not overlapping(kind, rows):
        return rows
    kept, end = list[int](), b""
    for place, (first, last) in enumerate(zip(*(map(bytes, bound) for bound in bounds(kind, rows)), strict=True)):
        # a prefix sorts after the shorter ones that hold it
        if not kept or first > end:
            kept.append(place)
            end = last
    return rows[kept]
