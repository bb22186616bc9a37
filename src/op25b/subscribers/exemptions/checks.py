"""Finding out what the criteria need to know: which addresses the subscriber holds, and what their reverse DNS says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Protocol

import dns.exception
import dns.name
import dns.resolver
import dns.reversename

from op25b.policy.model import Policy
from op25b.policy.terms import Criteria
from op25b.store.engine import Store
from op25b.subscribers.exemptions import criteria
from op25b.subscribers.exemptions.criteria import Finding, Reverse
from op25b.subscribers.exemptions.request import Asked, Network
from op25b.subscribers.exemptions.transitions import Kind
from op25b.subscribers.leases import held_by

MOST_NAMES = 8
"""Names of one address that are looked at; who has more of them means to keep a resolver busy."""


class Resolver(Protocol):
    """What is used of dns.resolver.Resolver. Raises dns.exception.DNSException."""

    def resolve(self, qname: dns.name.Name, rdtype: str) -> Any: ...


DNS_SECONDS = 5.0


def resolver() -> dns.resolver.Resolver:
    """This host's, which gives up in time; where it has none, no name is found."""
    try:
        found = dns.resolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        found = dns.resolver.Resolver(configure=False)
    found.lifetime = DNS_SECONDS
    return found


Holds = Callable[[str], list[Network]]
"""The prefixes that a subscriber holds now."""


def look(policy: Policy, asked: Asked, holds: Holds, resolver: Resolver, at: datetime) -> list[Finding]:
    """What is found for a request. Takes as long as the name service does: call it outside of transactions."""
    held: list[Network] = []
    if asked.kind is Kind.PREFIX and asked.prefix is not None:
        held = [ip_network(asked.prefix)]
    elif asked.kind is Kind.SUBSCRIBER and asked.subscriber is not None:
        held = holds(asked.subscriber)
    wanted = getattr(policy.exemption_terms, asked.kind)
    reverse = Reverse()
    if isinstance(wanted, Criteria) and wanted.reverse_dns is not None:
        address = criteria.server_address(asked, held)
        reverse = Reverse() if address is None else reverse_of(address, resolver)
    return criteria.of_request(policy, asked, held, reverse, at)


def looking(store: Store, policy: Policy, resolver: Resolver, at: datetime) -> Callable[[Asked], list[Finding]]:
    """`look` with the leases of a store."""

    def holds(subscriber: str) -> list[Network]:
        with store.read() as connection:
            return [ip_network(held.prefix) for held in held_by(connection, [subscriber], at).get(subscriber, [])]

    return lambda asked: look(policy, asked, holds, resolver, at)


def reverse_of(address: IPv4Address | IPv6Address, resolver: Resolver) -> Reverse:
    """The names of an address, and those of them whose addresses it is among (RFC 8601, 3: forward-confirmed)."""
    try:
        answer = resolver.resolve(dns.reversename.from_address(str(address)), "PTR")
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return Reverse()
    except dns.exception.DNSException as error:
        return Reverse(trouble=f"the name service gives no answer ({type(error).__name__})")
    names = sorted(record.target for record in answer)[:MOST_NAMES]
    confirmed = [name for name in names if _leads_to(name, address, resolver)]
    return Reverse(tuple(map(_text, names)), tuple(map(_text, confirmed)))


def _leads_to(name: dns.name.Name, address: IPv4Address | IPv6Address, resolver: Resolver) -> bool:
    try:
        answer = resolver.resolve(name, "A" if address.version == 4 else "AAAA")
    except dns.exception.DNSException:
        return False
    return any(ip_address(record.address) == address for record in answer)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
