"""Where a visitor stands: the address that they came from, what the policy and the store know of it, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from op25b.policy.intervals import Address
from op25b.policy.model import Policy, Pool
from op25b.policy.verdict import Judge
from op25b.subscribers.exemptions import as_policy
from op25b.subscribers.leases.history import who
from op25b.watch import cases
from op25b.watch.activity import prefix_of, source_of


@dataclass(frozen=True)
class Attempt:
    """The last time that somebody at an address tried to send on port 25. `target`: None if it is not known."""

    at: datetime
    target: str | None
    refused: bool


class Standings:
    """The judge of a policy, and for each address with what the store grants to who holds it."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.judge = Judge(policy)

    def judge_of(self, connection: Connection, source: Address, destinations: Iterable[Address], at: datetime) -> Judge:
        """As `op25b explain --store` judges flows from an address at an instant: exempt, or in quarantine."""
        found = as_policy.at_instant(connection, self.policy, source, destinations, at)
        return self.judge if found.exemptions == self.policy.exemptions else Judge(found)

    def pool_of(self, address: Address) -> Pool | None:
        """The pool that an address is in."""
        place = self.judge.sources.of(address)
        return self.policy.pools[place.pool] if place.pool >= 0 else None


def last_attempt(connection: Connection, address: Address, at: datetime) -> Attempt | None:
    """By the watch's open case of whoever holds the address, or of the address where nobody is known to."""
    holder = who(connection, address, at).holder
    prefix = prefix_of(source_of(address))
    found = cases.open_of(connection, [holder.subscriber] if holder else [], [] if holder else [str(prefix)])
    if not found:
        return None
    case = found[0][0]
    target = max(case.evidence["targets"], key=lambda each: each["last"], default=None)
    refused = case.evidence["figures"]["packets_refused"] > 0
    return Attempt(case.last_at, target and target["address"], refused)
