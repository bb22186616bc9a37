"""How many exemptions there are, and when one is looked at again next: no names, fit to publish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from op25b.store.engine import Store
from op25b.subscribers.exemptions import listing

HOLD = timedelta(minutes=1)


@dataclass(frozen=True)
class Counts:
    """`by_kind`: as `listing.counts` has it; `next_review`: of an exemption in force, None where there is none."""

    by_kind: Mapping[str, Mapping[str, int]]
    next_review: datetime | None


class Counter:
    """Counts a minute old at most: anybody may ask, and a million take a second."""

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, Lock()
        self._counted: tuple[datetime, Counts] | None = None

    def at(self, now: datetime) -> Counts:
        """Blocks."""
        with self._lock:
            if self._counted is None or now - self._counted[0] > HOLD:
                with self._store.read() as connection:
                    found = Counts(listing.counts(connection, now), listing.next_review(connection, now))
                self._counted = now, found
            return self._counted[1]
