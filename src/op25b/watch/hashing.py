"""64-bit hashes of columns, the same in every process, and the number of distinct ones in little memory."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
EXACT = 256
"""Up to here a count of distinct things is exact."""
_TOP = 1 << 64


def mixed(*columns: NDArray[Any]) -> Hashes:
    """One hash for each row of columns of integers: the finisher of splitmix64, once for each column."""
    found = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        found = (found ^ column.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ found >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ found >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        found ^= found >> np.uint64(31)
    return found


class Distinct:
    """How many distinct hashes there were: the smallest EXACT of them are kept (k minimum values, Bar-Yossef 2002).

    Exact while there are no more than that; after that an estimate with a standard error of 6 %.
    """

    __slots__ = ("_smallest",)

    def __init__(self, smallest: Iterable[int] = ()) -> None:
        # a set: most have a few, and come one at a time
        self._smallest = set(smallest)

    def add(self, hashes: Iterable[int]) -> None:
        """Count these, each once however often it comes."""
        self._smallest.update(hashes)
        if len(self._smallest) > 2 * EXACT:
            self._smallest = set(nsmallest(EXACT + 1, self._smallest))

    @property
    def smallest(self) -> list[int]:
        """One more than EXACT at most, sorted."""
        return sorted(self._smallest)[: EXACT + 1]

    @property
    def exact(self) -> bool:
        return len(self._smallest) <= EXACT

    @property
    def count(self) -> int:
        if self.exact:
            return len(self._smallest)
        return round((EXACT - 1) * _TOP / (self.smallest[EXACT - 1] + 1))
