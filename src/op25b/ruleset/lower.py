"""From the policy at an instant to neutral rules: exact, as few as can be, the same for the same input."""

from __future__ import annotations

from datetime import datetime
from functools import reduce

from op25b.policy import scope
from op25b.policy.intervals import AddressSet
from op25b.policy.model import Exemption, Phase, Policy, Pool
from op25b.policy.reasons import Reason
from op25b.policy.verdict import SMTP
from op25b.ruleset.rules import Action, Rule, Ruleset

_ACTION = {Reason.COVERED: Action.REFUSE, Reason.MONITORED: Action.MONITOR}


def lower(policy: Policy, at: datetime) -> Ruleset:
    """The rules that treat every packet as `op25b.policy.verdict` judges its flow at the instant `at`."""
    own = AddressSet.of(address for server in policy.own_servers for address in server.addresses)
    phases = tuple(_phases(policy, at, own))
    covered = reduce(AddressSet.__or__, (rule.sources for rule in phases if rule.sources), AddressSet())
    passes = (*_own_servers(policy), *_exemptions(policy, at, covered)) if phases else ()
    return Ruleset(policy.provider.name, at, passes, phases, policy.filter)


def _phases(policy: Policy, at: datetime, own: AddressSet) -> list[Rule]:
    """One rule for each phase that decides something now; a pool goes to the strongest of its phases."""
    pools: dict[str, tuple[Phase, Reason, list[Pool]]] = {}
    rules = []
    for pool in policy.pools:
        phases = [phase for phase in policy.phases if scope.first_miss(phase.scope, pool) is None]
        if phases:
            reason, phase = scope.strongest(phases, at)
            if reason in _ACTION:
                pools.setdefault(phase.name, (phase, reason, []))[2].append(pool)
    for phase, reason, members in pools.values():
        sources = (
            AddressSet.of(prefix for pool in members for prefix in pool.prefixes) - own
        )  # own servers are never refused
        names = tuple(f"pool/{pool.name}" for pool in members)
        if sources:
            rules.append(Rule(f"phase/{phase.name}", _ACTION[reason], sources, None, names))
    return rules


def _own_servers(policy: Policy) -> list[Rule]:
    """Each own server that is open on 25 (claims L4, N7, I8)."""
    return [
        Rule(f"own-server/{server.name}", Action.PASS, None, AddressSet.of(server.addresses), server.hosts)
        for server in policy.own_servers
        if SMTP in server.ports
    ]


def _exemptions(policy: Policy, at: datetime, covered: AddressSet) -> list[Rule]:
    """Exemptions in force, cut to what is covered: by source as one rule, by destination as one, by both each."""
    current = [exemption for exemption in policy.exemptions if scope.in_force(exemption, at)]
    by_source = [exemption for exemption in current if not exemption.destinations]
    by_destination = [exemption for exemption in current if not exemption.prefixes]
    rules = []
    sources = _addresses(by_source, sources=True) & covered
    if sources:
        rules.append(Rule("exemptions/by-source", Action.PASS, sources, None, _names(by_source)))
    destinations = _addresses(by_destination, sources=False)
    if destinations:
        rules.append(Rule("exemptions/by-destination", Action.PASS, None, destinations, _names(by_destination)))
    for exemption in current:
        if exemption.prefixes and exemption.destinations:
            sources = _addresses([exemption], sources=True) & covered
            if sources:
                to = _addresses([exemption], sources=False)
                rules.append(Rule(f"exemption/{exemption.name}", Action.PASS, sources, to, _names([exemption])))
    return rules


def _addresses(exemptions: list[Exemption], *, sources: bool) -> AddressSet:
    return AddressSet.of(
        prefix for exemption in exemptions for prefix in (exemption.prefixes if sources else exemption.destinations)
    )


def _names(exemptions: list[Exemption]) -> tuple[str, ...]:
    return tuple(f"exemption/{exemption.name}" for exemption in exemptions)
