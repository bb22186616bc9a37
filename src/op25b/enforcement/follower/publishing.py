"""What a host that filters tells of itself: into the store, so that whoever looks needs no privilege here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from op25b.enforcement.enforcer_client import Client
from op25b.enforcement.follower.metrics import Followed
from op25b.enforcement.generations import Generation, Records
from op25b.enforcement.requests import Kernel
from op25b.errors import UserError
from op25b.processes.board import Meters
from op25b.ruleset.rules import Action
from op25b.store import Store, edges
from op25b.store.edges import Report

_HIDDEN = "hidden/"
"""What counters of refused tunnels and fragments begin with."""


@dataclass
class Publisher:
    """Of one host, `name`. For one thread."""

    store: Store
    name: str
    records: Records
    meters: Meters
    now: Callable[[], datetime]
    _refused: int | None = None
    _rules: dict[int, frozenset[str]] = field(default_factory=dict)

    def publish(self, enforcer: Client, in_step: bool, amiss: int) -> None:
        """Tell how it is now. Raises what the store (UserError) and the enforcer (Away, Refused) raise."""
        kernel = enforcer.report()
        record = None if kernel.generation is None else self.records.read(kernel.generation)
        report = Report(
            generation=kernel.generation,
            policy_at=None if record is None else record.at,
            applied_at=None if record is None else record.applied_at,
            seconds_to_confirm=None if kernel.pending_ms is None else kernel.pending_ms / 1000,
            counters=kernel.counters,
            live=self.meters.get(Followed.MEMBERS),
            drift=tuple(self._drift(kernel, record)),
            in_step=in_step,
            amiss=amiss,
        )
        refused, at = self._newly_refused(kernel, record), self.now()
        with self.store.write() as connection:
            edges.put(connection, self.name, report, at)
            if refused:
                edges.refused(connection, self.name, refused, at)

    def _drift(self, kernel: Kernel, record: Generation | None) -> Iterator[str]:
        if kernel.generation is None:
            return
        if record is None:
            yield f"generation {kernel.generation}: what was applied cannot be read in {self.records.folder}"
            return
        for name, applied in sorted(record.chains.items()):
            if name not in kernel.chains:
                yield f"chain {name}: is not there"
            elif kernel.chains[name] != applied:
                yield f"chain {name}: holds other rules than were applied"
        for name in sorted(set(kernel.chains) - set(record.chains)):
            yield f"chain {name}: was added by someone else"

    def _newly_refused(self, kernel: Kernel, record: Generation | None) -> int:
        """Packets since the last time; the first time is where it begins."""
        refusing = self._refusing(record)
        total = sum(count for name, count in kernel.counters.items() if name in refusing or name.startswith(_HIDDEN))
        before, self._refused = self._refused, total
        if before is None:
            return 0
        # less than before: the counters were made anew
        return total - before if total >= before else total

    def _refusing(self, record: Generation | None) -> frozenset[str]:
        """The rules that refuse; none where it is not known what was applied."""
        if record is None:
            return frozenset()
        if record.number not in self._rules:
            try:
                names = frozenset(rule.name for rule in record.ruleset() if rule.action is Action.REFUSE)
            except UserError:
                names = frozenset()
            self._rules = {record.number: names}
        return self._rules[record.number]
