"""What the live sets hold, as the enforcer has confirmed it: a million members in a few arrays, and quick to change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from op25b.enforcement.members import Delta, Members, Rows, difference, none, row_octets, sortable
from op25b.ruleset.live import SetKind

FOLD = 4096
"""Changes kept beside an array before they are worked into it."""


class _Sorted:
    """Rows of one kind: a sorted array, and what has come and gone since that was made."""

    def __init__(self, kind: SetKind, rows: Rows) -> None:
        self._kind = kind
        self._fold(rows)

    def _fold(self, rows: Rows) -> None:
        self._rows = rows[np.unique(sortable(rows), return_index=True)[1]]
        self._keys = sortable(self._rows)
        self._come = set[bytes]()
        self._gone = set[bytes]()

    def __len__(self) -> int:
        return len(self._rows) + len(self._come) - len(self._gone)

    def holds(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of the rows are there."""
        found = self._in_array(rows)
        if self._come or self._gone:
            for number, row in enumerate(map(bytes, rows)):
                found[number] = row in self._come or (found[number] and row not in self._gone)
        return found

    def _in_array(self, rows: Rows) -> NDArray[np.bool_]:
        keys = sortable(rows)
        place = np.searchsorted(self._keys, keys)
        found = place < len(self._keys)
        found[found] = self._keys[place[found]] == keys[found]
        return found

    def change(self, add: Rows, remove: Rows) -> None:
        """Of `add` none is there yet, of `remove` all are."""
        for row in map(bytes, remove):
            _move(row, self._come, self._gone)
        for row in map(bytes, add):
            _move(row, self._gone, self._come)
        if len(self._come) + len(self._gone) > FOLD:
            self._fold(self.rows())

    def rows(self) -> Rows:
        """All of them."""
        if not self._come and not self._gone:
            return self._rows
        kept = np.ones(len(self._rows), np.bool_)
        kept[np.searchsorted(self._keys, sortable(self._of(self._gone)))] = False
        return np.concatenate([self._rows[kept], self._of(self._come)])

    def _of(self, changed: set[bytes]) -> Rows:
        return np.frombuffer(b"".join(changed), np.uint8).reshape(-1, row_octets(self._kind))


def _move(row: bytes, back: set[bytes], out: set[bytes]) -> None:
    if row in back:
        back.remove(row)
    else:
        out.add(row)


class Mirror:
    """Members of all kinds. In kinds of any length a prefix may be within another here; in the kernel it is not."""

    def __init__(self, members: Members) -> None:
        self._kinds = {kind: _Sorted(kind, rows) for kind, rows in members.items()}

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def members(self) -> Members:
        """All of them."""
        return {kind: held.rows() for kind, held in self._kinds.items()}

    def delta(self, looked: Members, wanted: Members) -> Delta:
        """What must change so that of `looked` exactly `wanted`, a part of it, is there."""
        change = Delta()
        for kind, rows in looked.items():
            want = np.isin(sortable(rows), sortable(wanted.get(kind, none(kind))))
            have = self._of(kind).holds(rows)
            if (come := want & ~have).any():
                change.add[kind] = rows[come]
            if (gone := ~want & have).any():
                change.remove[kind] = rows[gone]
        return change

    def in_kernel(self, change: Delta) -> Delta:
        """The same change as the kernel takes it, where no prefix is within another."""
        add, remove = Members(), Members()
        for kind in {**change.add, **change.remove}:
            come, gone = change.add.get(kind, none(kind)), change.remove.get(kind, none(kind))
            if kind.length is None:
                before = self._of(kind).rows()
                after = _Sorted(kind, before)
                after.change(come, gone)
                parts = difference({kind: after.rows()}, {kind: before})
                come, gone = parts.add.get(kind, none(kind)), parts.remove.get(kind, none(kind))
            add |= {kind: come} if len(come) else {}
            remove |= {kind: gone} if len(gone) else {}
        return Delta(add, remove)

    def change(self, change: Delta) -> None:
        """The enforcer has confirmed it."""
        for kind in {**change.add, **change.remove}:
            self._of(kind).change(change.add.get(kind, none(kind)), change.remove.get(kind, none(kind)))

    def _of(self, kind: SetKind) -> _Sorted:
        if kind not in self._kinds:
            self._kinds[kind] = _Sorted(kind, none(kind))
        return self._kinds[kind]
