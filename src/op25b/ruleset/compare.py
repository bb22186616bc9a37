"""What would change between two rulesets, rule by rule and prefix by prefix."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from op25b.policy.intervals import AddressSet, Prefix
from op25b.ruleset.rules import Action, Rule, Ruleset


@dataclass(frozen=True)
class Change:
    """One rule that comes, goes, or changes. Prefixes are the fewest that hold what is gained or lost."""

    rule: str
    before: Action | None
    after: Action | None
    gained_sources: tuple[Prefix, ...] = ()
    lost_sources: tuple[Prefix, ...] = ()
    gained_destinations: tuple[Prefix, ...] = ()
    lost_destinations: tuple[Prefix, ...] = ()

    def describe(self) -> str:
        """One line for a person."""
        if self.before is None:
            head = f"{self.rule}: new, {self.after}"
        elif self.after is None:
            head = f"{self.rule}: goes away (was {self.before})"
        else:
            head = f"{self.rule}: {self.before}" + (f" becomes {self.after}" if self.before != self.after else "")
        parts = (
            ("sources", "+", self.gained_sources),
            ("sources", "-", self.lost_sources),
            ("destinations", "+", self.gained_destinations),
            ("destinations", "-", self.lost_destinations),
        )
        details = [f"{sign}{_some(prefixes)} ({what})" for what, sign, prefixes in parts if prefixes]
        return "; ".join([head, *details])


def _some(prefixes: tuple[Prefix, ...], most: int = 5) -> str:
    more = f" and {len(prefixes) - most} more" if len(prefixes) > most else ""
    return ", ".join(map(str, prefixes[:most])) + more


def changes(before: Ruleset | None, after: Ruleset) -> list[Change]:
    """What turns `before` into `after` (None: nothing is in force). Empty when both treat every packet alike."""
    old = {rule.name: rule for rule in before or ()}
    new = {rule.name: rule for rule in after}
    found = []
    for name in [*new, *(name for name in old if name not in new)]:
        change = _change(name, old.get(name), new.get(name))
        if change is not None:
            found.append(change)
    if before is not None and before.filter != after.filter:
        found.append(Change("filter (refusal, tunnels, fragments, log, exempt_size)", Action.REFUSE, Action.REFUSE))
    return found


def _change(name: str, old: Rule | None, new: Rule | None) -> Change | None:
    if old and new and (old.action, old.sources, old.destinations) == (new.action, new.sources, new.destinations):
        return None
    nothing = AddressSet()
    sides = []
    for pick in ("sources", "destinations"):
        was = (getattr(old, pick) if old else None) or nothing
        shall = (getattr(new, pick) if new else None) or nothing
        sides += [tuple((shall - was).prefixes()), tuple((was - shall).prefixes())]
    return Change(name, old.action if old else None, new.action if new else None, *sides)


def digest(ruleset: Ruleset) -> str:
    """SHA-256 over all that decides a packet's treatment; the instant and the provider's name are left out.

    Phases never overlap and all of `passes` pass, so their order is left out too.
    """
    content = sorted((rule.name, str(rule.action), repr(rule.sources), repr(rule.destinations)) for rule in ruleset)
    return hashlib.sha256(repr((content, ruleset.filter)).encode()).hexdigest()
