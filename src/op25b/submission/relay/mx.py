"""Where mail for a domain goes (RFC 5321 5.1, RFC 7505): MX, A and AAAA, asked of a resolver that is passed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Protocol

import dns.exception
import dns.flags
import dns.name
import dns.resolver

from op25b.submission.relay.outcome import Outcome, deferred, failed

MAX_HOSTS = 10
"""Mail hosts tried for one domain: a zone that lists more is not worth its time."""


class Resolver(Protocol):
    """What is used of dns.asyncresolver.Resolver. Raises dns.exception.DNSException."""

    async def resolve(self, qname: str, rdtype: str) -> Any: ...


class NoRoute(Exception):
    """The domain cannot be delivered to, now (deferred) or at all (failed)."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Hosts:
    """Mail hosts' names in the order of trying. `secure`: the answer was DNSSEC-validated by the resolver.

    Of a resolver that is not reached over a trusted path `secure` means nothing.
    """

    names: tuple[str, ...]
    secure: bool


async def hosts(
    domain: str, resolver: Resolver, shuffle: Callable[[list[str]], None], own_names: frozenset[str]
) -> Hosts:
    """The mail hosts of a domain, equal preferences shuffled. Raises NoRoute.

    A domain without MX is its own mail host (implicit MX). Where one of `own_names` is listed, it and all that are
    not preferred to it are left out, since mail would come back.
    """
    try:
        answer = await resolver.resolve(domain, "MX")
    except dns.resolver.NXDOMAIN:
        raise NoRoute(failed("5.1.2", f"domain {domain} does not exist")) from None
    except dns.resolver.NoAnswer:
        return Hosts((domain,), False)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise NoRoute(_lookup_failed(domain, error)) from None
    listed = sorted((int(record.preference), record.exchange) for record in answer)
    if all(exchange == dns.name.root for _, exchange in listed):
        raise NoRoute(failed("5.1.10", f"556 domain {domain} takes no mail (null MX)"))
    by_preference: dict[int, list[str]] = {}
    for preference, exchange in listed:
        by_preference.setdefault(preference, []).append(exchange.to_text(omit_final_dot=True).lower())
    names: list[str] = []
    for equals in by_preference.values():
        if own_names & set(equals):
            break
        shuffle(equals)
        names += equals
    if not names:
        raise NoRoute(failed("5.4.6", f"mail for {domain} loops back to this host"))
    secure = bool(getattr(answer, "response", None) and answer.response.flags & dns.flags.AD)
    return Hosts(tuple(names[:MAX_HOSTS]), secure)


async def addresses(name: str, resolver: Resolver) -> list[str]:
    """A host's addresses, IPv6 and IPv4 by turns. Raises NoRoute; `name` may be an address itself."""
    if _is_address(name):
        return [name]
    found = await asyncio.gather(resolver.resolve(name, "AAAA"), resolver.resolve(name, "A"), return_exceptions=True)
    by_family: list[list[str]] = []
    troubles: list[BaseException] = []
    for answer in found:
        if isinstance(answer, dns.resolver.NXDOMAIN | dns.resolver.NoAnswer):
            by_family.append([])
        elif isinstance(answer, dns.exception.DNSException | UnicodeError):
            troubles.append(answer)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            by_family.append([record.address for record in answer])
    listed = _by_turns(by_family)
    if listed:
        return listed
    if troubles:
        raise NoRoute(_lookup_failed(name, troubles[0]))
    raise NoRoute(failed("5.4.4", f"mail host {name} has no address"))


async def reachable(names: Sequence[str], resolver: Resolver) -> AsyncIterator[tuple[str, str]]:
    """(name, address) in the order of trying. Raises NoRoute at the end if no name had an address."""
    last: NoRoute | None = None
    any_found = False
    for name in names:
        try:
            found = await addresses(name, resolver)
        except NoRoute as error:
            # one that may have an address later outweighs those that have none at all
            if last is None or last.outcome.status.startswith("5"):
                last = error
            continue
        for address in found:
            any_found = True
            yield name, address
    if last is not None and not any_found:
        raise last


def literal(domain: str) -> str | None:
    """The address of an address literal, `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 4.1.3)."""
    if not (domain.startswith("[") and domain.endswith("]")):
        return None
    text = domain[1:-1]
    text = text[5:] if text[:5].lower() == "ipv6:" else text
    return text if _is_address(text) else None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _by_turns(lists: Sequence[Sequence[str]]) -> list[str]:
    longest = max(map(len, lists), default=0)
    return [each[at] for at in range(longest) for each in lists if at < len(each)]


def _lookup_failed(name: str, error: BaseException) -> Outcome:
    if isinstance(error, dns.name.LabelTooLong | dns.name.EmptyLabel | dns.name.NameTooLong | UnicodeError):
        return failed("5.1.2", f"{name} is not a domain name")
    return deferred("4.4.3", f"name service failed for {name}: {type(error).__name__}")
