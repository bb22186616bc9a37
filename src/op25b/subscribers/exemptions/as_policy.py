"""Exemptions of the store as exemptions of the policy, so that a verdict says what the filter does with them too.

One is named `x` and its number. A subscriber's is one for each time for which he held a prefix, whatever the length: of
nested prefixes each counts, as it does in the filter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_network

from sqlalchemy import Connection

from op25b.policy.model import Exemption, Policy
from op25b.subscribers.exemptions import queries
from op25b.subscribers.exemptions.queries import Live
from op25b.subscribers.exemptions.transitions import Kind
from op25b.subscribers.leases import history

Address = IPv4Address | IPv6Address


def at_instant(
    connection: Connection, policy: Policy, source: Address, destinations: Iterable[Address], at: datetime
) -> Policy:
    """The policy with those that concern flows from one address to others at an instant."""
    prefixes = history.around(connection, source)
    held = [each for each in history.tenures(connection, prefixes) if each.covers(at)]
    found = queries.of_subscribers(connection, {each.subscriber for each in held}, at)
    found += (each for each in queries.of_address(connection, source, at) if each.kind == Kind.PREFIX)
    for destination in destinations:
        found += (each for each in queries.of_address(connection, destination, at) if each.kind == Kind.DESTINATION)
    return extended(policy, found, held)


def extended(policy: Policy, found: Iterable[Live], held: Iterable[history.Tenure]) -> Policy:
    """The policy with all of `found`, those of subscribers for what they `held`."""
    tenures = defaultdict(list)
    for each in held:
        tenures[each.subscriber].append(each)
    added = (exemption for live in found for exemption in _exemptions(live, tenures.get(live.subscriber or "", ())))
    return policy.model_copy(update={"exemptions": (*policy.exemptions, *added)})


def _exemptions(live: Live, held: Collection[history.Tenure]) -> Iterator[Exemption]:
    if live.prefix is not None:
        yield _exemption(live, live.prefix, live.from_at, live.until_at)
        return
    for each in held:
        since = max(each.since, live.from_at)
        until = live.until_at if each.until is None else min(each.until, live.until_at)
        if since < until:
            yield _exemption(live, each.prefix, since, until)


def _exemption(live: Live, prefix: str, since: datetime, until: datetime) -> Exemption:
    return Exemption.model_validate(
        {
            "name": f"x{live.id}",
            "destinations" if live.kind == Kind.DESTINATION else "prefixes": (ip_network(prefix),),
            "reason": "granted",
            "from": since,
            "until": until,
        }
    )
