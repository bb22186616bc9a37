"""What access servers and DHCP servers report about who holds which address. Pure.

Each fact says when it was true, not when it arrived: the same facts end in the same table in any order, and twice is
once. An instant has microseconds; most sources know seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network

NAME_OCTETS = 253
"""Longest name of a subscriber, session or source: the value of a RADIUS attribute (RFC 2865, section 5)."""
WIDEST = {4: 16, 6: 32}
"""The shortest prefixes that a lease may have: no customer holds more, and a slip must not exempt half a network."""
PREFIXES = 64
"""The most prefixes that one report may name."""

FOREVER = datetime(2999, 12, 31, tzinfo=UTC)
"""The end of a lease that has none; None is left to the policy."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A session is there (a Start, an Interim, a DHCP lease): the subscriber holds these prefixes at `at`.

    `started`: since when the session is there, as far as this report knows; `at` where it does not say.
    `until`: until when it lasts without another report (a DHCP lease's end); None leaves that to the policy.
    A session that names other prefixes of a family than before has left the ones before.
    Raises ValueError for names that cannot be stored, prefixes that are not canonical, times out of order.
    """

    source: str
    session: str
    subscriber: str
    prefixes: tuple[str, ...]
    at: datetime
    started: datetime
    until: datetime | None = None

    def __post_init__(self) -> None:
        _checked(self)
        if self.until is not None:
            _instant("the end of the lease", self.until)


@dataclass(frozen=True, slots=True)
class Release:
    """A session ended at `at` (a Stop, a DHCP release); it had these prefixes, if it says so. Raises like Claim."""

    source: str
    session: str
    subscriber: str
    prefixes: tuple[str, ...]
    at: datetime
    started: datetime

    def __post_init__(self) -> None:
        _checked(self)


@dataclass(frozen=True, slots=True)
class Restart:
    """The source began anew (Accounting-On, Accounting-Off): sessions not seen after `at` ended there. Raises too."""

    source: str
    at: datetime

    def __post_init__(self) -> None:
        checked_name("source", self.source)
        _instant("the time", self.at)


Fact = Claim | Release | Restart


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ADDRESS4 = re.compile(rf"{_OCTET}(?:[.]{_OCTET}){{3}}/32")
"""What nearly every fact has, and ipaddress takes a quarter of the time of a report for."""


def canonical(text: str) -> str:
    """A prefix or an address as facts have it: `192.0.2.1/32`, `2001:db8::/56`.

    Raises ValueError for what is none, has host bits set, or is wider than WIDEST.
    """
    if _ADDRESS4.fullmatch(text):
        return text
    try:
        found: IPv4Network | IPv6Network = ip_network(text)
    except ValueError:
        raise ValueError(f"{text[:60]!r} is not a prefix without host bits") from None
    mapped = isinstance(found, IPv6Network) and found.network_address.ipv4_mapped is not None
    if mapped or (isinstance(found, IPv6Network) and found.network_address.scope_id is not None):
        raise ValueError(f"{text[:60]!r} is no prefix that a packet can have")
    if found.prefixlen < WIDEST[found.version]:
        raise ValueError(f"{found} is wider than /{WIDEST[found.version]}, more than one subscriber can hold")
    return str(found)


def _checked(fact: Claim | Release) -> None:
    checked_name("source", fact.source)
    checked_name("session", fact.session)
    checked_name("subscriber", fact.subscriber)
    if len(fact.prefixes) > PREFIXES:
        raise ValueError(f"it names {len(fact.prefixes)} prefixes; {PREFIXES} are the most")
    for prefix in fact.prefixes:
        if canonical(prefix) != prefix:
            raise ValueError(f"{prefix[:60]!r} is not written as {canonical(prefix)!r}")
    _instant("the time", fact.at)
    _instant("the start", fact.started)
    if fact.started > fact.at:
        raise ValueError(f"its start, {fact.started.isoformat()}, is after {fact.at.isoformat()}, its time")


def checked_name(what: str, text: str) -> None:
    """Raises ValueError for a name of a subscriber, session or source that cannot be stored."""
    if not text:
        raise ValueError(f"the {what} is empty")
    # ASCII is the usual case, and has as many octets as characters
    if len(text) > NAME_OCTETS or (not text.isascii() and len(text.encode(errors="replace")) > NAME_OCTETS):
        raise ValueError(f"the {what} {text[:20]!r}... has more than {NAME_OCTETS} octets")
    if not text.isprintable():
        raise ValueError(f"the {what} {text[:60]!r} holds a character that cannot be printed")


def _instant(what: str, at: datetime) -> None:
    if at.tzinfo is None:
        raise ValueError(f"{what}, {at.isoformat()}, has no offset")
    if not 1970 < at.year < 3000:
        raise ValueError(f"{what}, {at.isoformat()}, is out of range")
