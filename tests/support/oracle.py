"""What should be answered, worked out the long way: plain loops over the policy, in the order of `reasons.ORDER`.

Nothing here is shared with the code under test but the model of the policy and the words of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address

from op25b.policy.model import Exemption, OwnServer, Phase, Policy, Pool
from op25b.policy.verdict import Flow

Addr = IPv4Address | IPv6Address
Answer = tuple[str, str, str]
"""Decision, reason, rule."""


def answer(policy: Policy, flow: Flow, at: datetime) -> Answer:
    """The answer for one flow at one instant."""
    stamp = at.astimezone(UTC)
    pool, server = _pool_of(policy, flow.src), _server_of(policy, flow.src)
    if flow.proto != 6 or flow.dport != 25:
        if flow.proto == 6 and flow.sport == 25 and pool is not None:
            return "pass", "inbound", "built-in/inbound"
        return "pass", "not-port-25", "built-in/not-port-25"
    if server is not None:
        return "pass", "own-server", f"own-server/{server.name}"
    other = _server_of(policy, flow.dst)
    if pool is None:
        inbound = other is None and _pool_of(policy, flow.dst) is not None
        reason = "inbound" if inbound else "not-a-customer"
        return "pass", reason, f"built-in/{reason}"
    if other is not None and 25 in other.ports:
        return "pass", "own-server", f"own-server/{other.name}"
    phases = [phase for phase in policy.phases if _misses(phase, pool) == []]
    if not phases:
        return _not_covered(policy, pool)
    for exemption in policy.exemptions:
        if _exempts(exemption, flow) and _within(exemption, at):
            return "pass", "exempt", f"exemption/{exemption.name}"
    for decision, reason in (
        ("block", "covered"),
        ("monitored", "monitored"),
        ("pass", "announced"),
        ("pass", "not-yet"),
        ("pass", "ended"),
    ):
        found = [phase for phase in phases if _state(phase, at) == reason]
        if reason == "not-yet":
            # a sort keeps the order of the file among those that start together
            found.sort(key=lambda phase: phase.from_.astimezone(UTC) if phase.from_ else stamp)
        if found:
            return decision, reason, f"phase/{found[0].name}"
    raise AssertionError("a phase is in none of its states")


def action(found: Answer) -> str:
    """What a filter does about it (`op25b.ruleset.rules.Action`)."""
    return {"block": "refuse", "monitored": "monitor", "pass": "pass"}[found[0]]


def _pool_of(policy: Policy, address: Addr) -> Pool | None:
    return next((pool for pool in policy.pools if _inside(address, pool.prefixes)), None)


def _server_of(policy: Policy, address: Addr) -> OwnServer | None:
    return next((server for server in policy.own_servers if address in server.addresses), None)


def _inside(address: Addr, prefixes: Iterable[object]) -> bool:
    return any(address in prefix for prefix in prefixes)  # type: ignore[operator]


def _misses(phase: Phase, pool: Pool) -> list[str]:
    """The reasons for which the pool is not in the phase's scope, each after how many tests it stands."""
    scope = phase.scope
    tests = (
        ("contract-not-covered", pool.contract, scope.contracts, scope.not_contracts),
        ("line-not-covered", pool.name, scope.pools, scope.not_pools),
        ("line-not-covered", pool.line, scope.lines, scope.not_lines),
        ("region-not-covered", pool.region, scope.regions, scope.not_regions),
        ("static-address", pool.assignment, scope.assignments, ()),
    )
    missed = []
    for number, (reason, value, wanted, unwanted) in enumerate(tests):
        if (wanted is not None and value not in wanted) or value in unwanted:
            missed.append(f"{number} {reason}")
    return missed


def _not_covered(policy: Policy, pool: Pool) -> Answer:
    """The nearest phase is the one whose first missed test stands last; of two, the first in the file."""
    nearest, place = None, -1
    for phase in policy.phases:
        number = int(_misses(phase, pool)[0].split()[0])
        if number > place:
            nearest, place = phase, number
    if nearest is None:
        return "pass", "line-not-covered", "built-in/line-not-covered"
    return "pass", _misses(nearest, pool)[0].split()[1], f"phase/{nearest.name}"


def _exempts(exemption: Exemption, flow: Flow) -> bool:
    if not exemption.prefixes and not exemption.destinations:
        return False
    by_source = not exemption.prefixes or _inside(flow.src, exemption.prefixes)
    by_destination = not exemption.destinations or _inside(flow.dst, exemption.destinations)
    return by_source and by_destination


def _within(table: Exemption | Phase, at: datetime) -> bool:
    stamp = at.astimezone(UTC)
    started = table.from_ is None or table.from_.astimezone(UTC) <= stamp
    return started and (table.until is None or stamp < table.until.astimezone(UTC))


def _state(phase: Phase, at: datetime) -> str:
    if phase.until is not None and phase.until.astimezone(UTC) <= at.astimezone(UTC):
        return "ended"
    if phase.tentative:
        return "announced"
    if not _within(phase, at):
        return "not-yet"
    return {"enforce": "covered", "monitor": "monitored", "announce": "announced"}[phase.mode]
