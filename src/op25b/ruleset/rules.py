"""Neutral rules: what a filter has to do about TCP to port 25 at one instant, whatever the filter is.

A ruleset is judged per packet and keeps no state: the first rule that matches decides, and what matches none
passes. Everything that is not TCP to port 25 passes before any rule is looked at, but for `tunnels` and `fragments`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from op25b.policy.intervals import Address, AddressSet
from op25b.policy.model import Filter


class Action(StrEnum):
    PASS = "pass"
    MONITOR = "monitor"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Rule:
    """TCP to port 25 from `sources` to `destinations` (None: any) is treated by `action`.

    `name` is the name that a verdict gives the rule, or that of a group; `origin` names what it was made of.
    """

    name: str
    action: Action
    sources: AddressSet | None
    destinations: AddressSet | None
    origin: tuple[str, ...]

    def matches(self, src: Address, dst: Address) -> bool:
        return (self.sources is None or src in self.sources) and (self.destinations is None or dst in self.destinations)


@dataclass(frozen=True)
class Ruleset:
    """The policy of `provider` at the instant `at`. `passes` come before `phases`; phases never overlap."""

    provider: str
    at: datetime
    passes: tuple[Rule, ...]
    phases: tuple[Rule, ...]
    filter: Filter

    def __iter__(self) -> Iterator[Rule]:
        yield from self.passes
        yield from self.phases

    def action(self, src: Address, dst: Address) -> Action:
        """What the rules do with TCP to port 25 from `src` to `dst`."""
        return next((rule.action for rule in self if rule.matches(src, dst)), Action.PASS)
