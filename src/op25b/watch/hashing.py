"""64-bit hashes of columns, the same in every process, and the number of distinct ones in little memory."""

from __future__ import annotations

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

    def __init__(self, smallest: NDArray[Any] | None = None) -> None:
        self.smallest: Hashes = np.zeros(0, np.uint64) if smallest is None else np.asarray(smallest, np.uint64)

    def add(self, hashes: Hashes) -> None:
        """Count these, each once however often it comes."""
        self.smallest = np.union1d(self.smallest, hashes)[: EXACT + 1]

    @property
    def exact(self) -> bool:
        return len(self.smallest) <= EXACT

    @property
    def count(self) -> int:
        if self.exact:
            return len(self.smallest)
        return round((EXACT - 1) * _TOP / (int(self.smallest[EXACT - 1]) + 1))
