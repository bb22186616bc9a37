"""What the work of the desks rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from op25b.policy.model import Policy
from op25b.portal.desk import terms
from op25b.portal.staff.roles import Person
from op25b.store.audit import By
from op25b.store.engine import Store
from op25b.subscribers.exemptions import listing
from op25b.subscribers.exemptions.checks import Resolver
from op25b.subscribers.exemptions.desk import Desk

COUNTS_HOLD = timedelta(minutes=1)


@dataclass
class Context:
    """`policy` is replaced at a reload. `spool`: None where this host has none."""

    store: Store
    policy: Policy
    resolver: Resolver
    clock: Callable[[], datetime]
    log: Any
    count: Callable[[], object]
    """Called for each change."""
    spool: Path | None = None
    _counting: Lock = field(default_factory=Lock)
    _counted: tuple[datetime, dict[str, dict[str, int]]] | None = None

    @property
    def desk(self) -> Desk:
        return Desk(self.store, self.policy)

    def by(self, person: Person, why: str = "") -> By:
        return By(person.name, self.clock(), why)

    def changed(self, person: Person, what: str, step: str) -> None:
        """Count and log a change that was made."""
        self.count()
        self.log.info("changed by staff", who=person.name, what=what, step=step)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many exemptions there are, a minute old at most: anybody may ask, and a million take a second."""
        with self._counting:
            now = self.clock()
            if self._counted is None or now - self._counted[0] > COUNTS_HOLD:
                with self.store.read() as connection:
                    self._counted = now, listing.counts(connection, now)
            return self._counted[1]

    def published(self) -> dict[str, Any]:
        """The terms of exemptions with these counts."""
        return terms.published(self.policy, self.counts())
