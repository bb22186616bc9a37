"""What the work of the desks rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from op25b.policy.model import Policy
from op25b.portal.desk import terms
from op25b.portal.desk.counts import Counter
from op25b.portal.staff.roles import Person
from op25b.store.audit import By
from op25b.store.engine import Store
from op25b.subscribers.exemptions.checks import Resolver
from op25b.subscribers.exemptions.desk import Desk


@dataclass
class Context:
    """Of one policy: a reload makes another. `spool`: None where this host has none."""

    store: Store
    policy: Policy
    resolver: Resolver
    clock: Callable[[], datetime]
    log: Any
    count: Callable[[], object]
    """Called for each change."""
    spool: Path | None = None
    _counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        self._counter = Counter(self.store)

    @property
    def desk(self) -> Desk:
        return Desk(self.store, self.policy)

    def by(self, person: Person, why: str = "") -> By:
        return By(person.name, self.clock(), why)

    def changed(self, person: Person, what: str, step: str) -> None:
        """Count and log a change that was made."""
        self.count()
        self.log.info("changed by staff", who=person.name, what=what, step=step)

    def published(self) -> dict[str, Any]:
        """The terms of exemptions, and how many there are."""
        return terms.published(self.policy, self._counter.at(self.clock()).by_kind)
