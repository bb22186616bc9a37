"""What a request must show by the policy's terms, and whether it does: from facts that were found out before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from op25b.policy.model import Assignment, Policy, Pool
from op25b.policy.terms import Criteria, ExemptionTerms, ReverseDns
from op25b.subscribers.exemptions.request import Asked, Network, pool_of

Address = IPv4Address | IPv6Address


class Criterion(StrEnum):
    """What can be asked of a request."""

    CONTRACT = "contract"
    STATIC_ADDRESS = "static-address"
    OWN_DOMAIN = "own-domain"
    REVERSE_DNS = "reverse-dns"
    FEE = "fee"
    DURATION = "duration"
    QUOTA = "quota"
    SUBSCRIBER_QUOTA = "subscriber-quota"


@dataclass(frozen=True)
class Finding:
    """What was found for a criterion, and when."""

    criterion: Criterion
    passed: bool
    found: str
    at: datetime

    def shown(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {**vars(self), "at": self.at.isoformat()}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Finding:
        """From what `shown` gives."""
        at = datetime.fromisoformat(stored["at"])
        return cls(Criterion(stored["criterion"]), stored["passed"], stored["found"], at)


@dataclass(frozen=True)
class Reverse:
    """What the name service says of an address: its names, and those that lead back to it. `trouble`: no answer."""

    names: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    trouble: str | None = None


@dataclass(frozen=True)
class Span:
    """From when until when one holds, and when it is looked at again."""

    from_at: datetime
    review_at: datetime
    until_at: datetime


def span(terms: ExemptionTerms, asked: Asked, at: datetime) -> Span:
    """What a grant at `at` comes to: what was asked, and the policy's defaults for the rest."""
    start = max(asked.from_at or at, at)
    notice = timedelta(days=terms.notice_days)
    review, until = asked.review_at, asked.until_at
    if until is None:
        review = review or start + timedelta(days=terms.review_days)
        until = review + notice
    return Span(start, max(start, review or until - notice), until)


def persons(terms: ExemptionTerms, asked: Asked) -> int:
    """How many must approve."""
    limit = terms.second_person_above
    return 2 if limit is not None and width(asked) > limit else 1


def width(asked: Asked) -> int:
    """Addresses that are exempt; for IPv6 /64 networks, since each customer has one at least. A subscriber is one."""
    if asked.prefix is None:
        return 1
    prefix = ip_network(asked.prefix)
    return prefix.num_addresses if prefix.version == 4 else max(1, prefix.num_addresses >> 64)


def asked_for(terms: ExemptionTerms, asked: Asked) -> set[Criterion]:
    """The criteria that a request has to meet."""
    wanted = getattr(terms, asked.kind)
    said = {
        Criterion.CONTRACT: getattr(wanted, "contracts", None) is not None,
        Criterion.STATIC_ADDRESS: getattr(wanted, "static_address", False),
        Criterion.OWN_DOMAIN: wanted.own_domain,
        Criterion.REVERSE_DNS: getattr(wanted, "reverse_dns", None) is not None,
        Criterion.FEE: wanted.fee,
        Criterion.DURATION: terms.longest_days is not None,
        Criterion.QUOTA: terms.most is not None,
        Criterion.SUBSCRIBER_QUOTA: terms.most_per_subscriber is not None and asked.subscriber is not None,
    }
    return {criterion for criterion, is_asked in said.items() if is_asked}


def of_request(policy: Policy, asked: Asked, held: Iterable[Network], reverse: Reverse, at: datetime) -> list[Finding]:
    """The findings of what lies with who asks. `held`: the addresses it is about."""
    wanted = getattr(policy.exemption_terms, asked.kind)
    found: list[Finding] = []
    if isinstance(wanted, Criteria):
        found += _of_addresses(wanted, [(prefix, pool_of(prefix, policy.pools)) for prefix in held], at)
        if wanted.reverse_dns is not None:
            found.append(Finding(Criterion.REVERSE_DNS, *_reverse(wanted.reverse_dns, asked, held, reverse), at))
    if wanted.own_domain:
        found.append(Finding(Criterion.OWN_DOMAIN, *_own_domain(policy, asked.domain), at))
    if wanted.fee:
        said = "accepted" if asked.fee_accepted else "stated, and not accepted"
        found.append(Finding(Criterion.FEE, asked.fee_accepted, said, at))
    return found


def of_duration(terms: ExemptionTerms, wanted: Span, at: datetime) -> list[Finding]:
    """Whether it holds for no longer than the terms allow, from `at` or its beginning on."""
    if terms.longest_days is None:
        return []
    days = (wanted.until_at - max(wanted.from_at, at)) / timedelta(days=1)
    passed = days <= terms.longest_days
    return [Finding(Criterion.DURATION, passed, f"{days:.0f} days, of {terms.longest_days} at most", at)]


def of_quotas(terms: ExemptionTerms, asked: Asked, in_force: int, of_subscriber: int, at: datetime) -> list[Finding]:
    """Whether there is room for one more beside those in force, of all and of the subscriber."""
    found = []
    if terms.most is not None:
        said = f"{in_force} are in force, of {terms.most} at most"
        found.append(Finding(Criterion.QUOTA, in_force < terms.most, said, at))
    if terms.most_per_subscriber is not None and asked.subscriber is not None:
        said = f"the subscriber has {of_subscriber}, of {terms.most_per_subscriber} at most"
        found.append(Finding(Criterion.SUBSCRIBER_QUOTA, of_subscriber < terms.most_per_subscriber, said, at))
    return found


def server_address(asked: Asked, held: Iterable[Network]) -> Address | None:
    """Whose reverse DNS is looked at: the server that the request names, if it is among the addresses; else the only
    address that there is."""
    prefixes = list(held)
    if asked.server is not None:
        server = ip_address(asked.server)
        return server if any(server in prefix for prefix in prefixes) else None
    if len(prefixes) == 1 and prefixes[0].num_addresses == 1:
        return prefixes[0].network_address
    return None


def _of_addresses(wanted: Criteria, held: list[tuple[Network, Pool | None]], at: datetime) -> list[Finding]:
    found = []
    if wanted.contracts is not None:
        passed = bool(held) and all(pool is not None and pool.contract in wanted.contracts for _, pool in held)
        said = _each(held, lambda pool: f"contract {pool.contract or 'not said'}")
        found.append(Finding(Criterion.CONTRACT, passed, said, at))
    if wanted.static_address:
        passed = bool(held) and all(pool is not None and pool.assignment is Assignment.STATIC for _, pool in held)
        said = _each(held, lambda pool: str(pool.assignment or "assignment not said"))
        found.append(Finding(Criterion.STATIC_ADDRESS, passed, said, at))
    return found


def _each(held: list[tuple[Network, Pool | None]], say: Callable[[Pool], str]) -> str:
    if not held:
        return "the subscriber holds no address now"
    return ", ".join(f"{prefix}: {say(pool) if pool else 'in no pool'}" for prefix, pool in held)


def _own_domain(policy: Policy, domain: str | None) -> tuple[bool, str]:
    if domain is None:
        return False, "no domain is named"
    brands = [each.lower() for brand in policy.provider.brands for each in brand.domains]
    if any(domain == each or domain.endswith(f".{each}") for each in brands):
        return False, f"{domain} is the provider's"
    return True, domain


def _reverse(wanted: ReverseDns, asked: Asked, held: Iterable[Network], reverse: Reverse) -> tuple[bool, str]:
    address = server_address(asked, held)
    if address is None:
        return False, "it is not said which of the addresses is the server's, or it is none of them"
    if reverse.trouble is not None:
        return False, f"{address}: {reverse.trouble}"
    if not reverse.names:
        return False, f"{address} has no name"
    if wanted is ReverseDns.EXISTS:
        return True, f"{address} is {reverse.names[0]}"
    if not reverse.confirmed:
        return False, f"{address} is {reverse.names[0]}, which does not lead back to it"
    speaking = [name for name in reverse.confirmed if not generic(name, address)]
    if wanted is ReverseDns.CONFIRMED or speaking:
        return True, f"{address} is {(speaking or reverse.confirmed)[0]}, and back"
    return False, f"{address} is {reverse.confirmed[0]}, a name made from the address"


_DYNAMIC = re.compile(
    r"(^|[^a-z])(dyn|dynamic|dynip|dhcp|ppp|pppoe|pool|dial|dialup|dsl|adsl|cable|ftth|client|cpe|unassigned)"
    r"([^a-z]|$)"
)


def generic(name: str, address: Address) -> bool:
    """True for a name that is made from the address, or that says of itself that it is one of many: what receivers
    take for a customer's machine (Postfix's and Rspamd's checks look for the same)."""
    name = name.lower()
    if _DYNAMIC.search(name):
        return True
    if isinstance(address, IPv6Address):
        digits = address.exploded.replace(":", "")
        plain = re.sub(r"[.-]", "", name)
        return str(address).replace(":", "-") in name or any(
            part in plain for part in (digits[:16], digits[-16:], digits[::-1][:16])
        )
    octets = str(address).split(".")
    numbers = re.findall(r"\d+", name)
    shown = [str(int(number)) for number in numbers]
    if len({tuple(octets), tuple(reversed(octets))} & {tuple(shown[n : n + 4]) for n in range(len(shown))}):
        return True
    return f"{int(address):08x}" in name or any(
        "".join(f"{int(o):03d}" for o in octets) in number for number in numbers
    )
