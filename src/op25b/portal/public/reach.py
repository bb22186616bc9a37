"""Whether a sending server can be reached from here, which a visitor asks for and awaits.

What a stranger makes this host connect to is held within bounds: names only, in public address space, never a
customer's machine, on 587 and 465 alone, so often and no oftener. The provider's own servers stand in the policy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from ipaddress import IPv6Address, IPv6Network, ip_address

import dns.exception
import dns.name

from op25b.doctor.probe.outcomes import Role, Target, Try
from op25b.doctor.probe.talking import Deadline, Trust
from op25b.doctor.probe.trying import ALL_SECONDS, attempt, side_by_side
from op25b.policy.fields import host_name
from op25b.policy.intervals import Address
from op25b.policy.verdict import SUBMISSION, Judge
from op25b.subscribers.credentials.tries import Allowance
from op25b.subscribers.exemptions.checks import Resolver
from op25b.subscribers.lockout import block_of

AT_ONCE = 4
MOST_ADDRESSES = 2
"""Of each family."""
WINDOW_SECONDS = 600.0
MOST_OF_A_VISITOR, MOST_OF_ALL = 6, 200
"""Checks within the window."""
KEPT_SECONDS, MOST_KEPT = 60.0, 256
"""For so long a server is not asked again."""
_CARRYING = tuple(map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))
"""Addresses that hold one of IPv4 (RFC 4291, 6052, 8215, 3056, 4380): who knows where they lead."""


class No(Enum):
    """Why nothing was tried."""

    NO_NAME = "it is not the name of a server"
    UNKNOWN = "the name has no address"
    CLOSED = "it is not a server on the public Internet"
    OFTEN = "so many checks were started from there already"
    BUSY = "too many are under way"


@dataclass(frozen=True)
class Reached:
    """What came of it, by port and address."""

    name: str
    tries: tuple[Try, ...]


def is_public(address: Address) -> bool:
    """Whether it is an address of the public Internet, and of one machine."""
    if isinstance(address, IPv6Address) and any(address in network for network in _CARRYING):
        return False
    return address.is_global and not address.is_multicast


class Reach:
    """The checks of one process. `now`: seconds of a clock that only goes up."""

    def __init__(
        self,
        resolver: Resolver,
        now: Callable[[], float],
        allowed: Callable[[Address], bool] = is_public,
        trust: Trust | None = None,
    ) -> None:
        self._resolver, self._now, self._allowed = resolver, now, allowed
        self._trust = trust or Trust.default()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._of_visitor = Allowance(MOST_OF_A_VISITOR, WINDOW_SECONDS)
        self._of_all = Allowance(MOST_OF_ALL, WINDOW_SECONDS, keys=1)
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Reached]] = {}

    def check(self, judge: Judge, written: str, visitor: Address | None) -> Reached | No:
        """Try the server of that name; takes some seconds. For what is not to be tried, why."""
        name = written.lower().removesuffix(".")
        own = next(iter(judge.policy.own_servers_called(name)), None)
        if own is None and not _is_host_name(name):
            return No.NO_NAME
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and self._now() < kept[0] + KEPT_SECONDS:
                return kept[1]
            block = "" if visitor is None else block_of(visitor)
            if not self._of_visitor.take(block, self._now()) or not self._of_all.take("", self._now()):
                return No.OFTEN
        if not self._places.acquire(blocking=False):
            return No.BUSY
        try:
            if own is not None:
                ports = tuple(port for port in SUBMISSION if port in own.ports)
                return self._tried(name, own.addresses, ports)
            return self._of_others(judge, name)
        finally:
            self._places.release()

    def _of_others(self, judge: Judge, name: str) -> Reached | No:
        found = [*self._addresses(name, "A"), *self._addresses(name, "AAAA")]
        if not found:
            return No.UNKNOWN
        # the address itself is connected to: what the name leads to later does not count
        allowed = [each for each in found if self._allowed(each) and judge.sources.of(each).pool < 0]
        return self._tried(name, allowed, SUBMISSION) if allowed else No.CLOSED

    def _addresses(self, name: str, kind: str) -> list[Address]:
        try:
            answer = self._resolver.resolve(dns.name.from_text(name), kind)
            return [ip_address(record.address) for record in answer][:MOST_ADDRESSES]
        except (dns.exception.DNSException, UnicodeError):
            return []

    def _tried(self, name: str, addresses: Iterable[Address], ports: Iterable[int]) -> Reached:
        planned = [
            Try(Target(Role.SETTING, name, port), address.version, str(address))
            for port in ports
            for address in addresses
        ]
        deadline = Deadline(ALL_SECONDS)
        done = side_by_side([partial(attempt, each, self._trust, "", deadline) for each in planned], ALL_SECONDS + 1)
        made = Reached(name, tuple(one or each for one, each in zip(done, planned, strict=True)))
        with self._lock:
            self._kept = {key: each for key, each in self._kept.items() if self._now() < each[0] + KEPT_SECONDS}
            if len(self._kept) < MOST_KEPT:
                self._kept[name] = self._now(), made
        return made


def _is_host_name(name: str) -> bool:
    """A name with two labels at least, the last of which is no number: addresses are none."""
    try:
        host_name(name)
    except ValueError:
        return False
    return "." in name and not name.rpartition(".")[2].isdigit() and "{" not in name
