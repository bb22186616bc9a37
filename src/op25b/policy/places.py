"""From an address to what the policy knows of it: one sorted table of boundaries for each family."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from op25b.policy.intervals import TOP, Address, Prefix, Version
from op25b.policy.model import Policy


class Place(NamedTuple):
    """What the policy knows of an address, as indices into the policy's lists; -1 is none."""

    pool: int = -1
    server: int = -1
    exemptions: tuple[int, ...] = ()


class Label(NamedTuple):
    """One prefix or address of the policy and what it stands for; all but one of the three is left out."""

    prefix: Prefix | Address
    pool: int = -1
    server: int = -1
    exemption: int = -1


@dataclass(frozen=True)
class Boundaries:
    """One family: `starts[i]` to `starts[i+1] - 1` is the place `places[numbers[i]]`. `starts[0]` is 0."""

    starts: list[int]
    numbers: list[int]


@dataclass(frozen=True)
class Places:
    """Both families cut up into places. `known` are the distinct ones; the first is nowhere."""

    known: list[Place]
    v4: Boundaries
    v6: Boundaries

    def of(self, address: Address) -> Place:
        """The place of one address."""
        table = self.v4 if address.version == 4 else self.v6
        return self.known[table.numbers[bisect_right(table.starts, int(address)) - 1]]


def _span(prefix: Prefix | Address) -> tuple[int, int]:
    if isinstance(prefix, IPv4Address | IPv6Address):
        return int(prefix), int(prefix)
    return int(prefix.network_address), int(prefix.broadcast_address)


def _sweep(version: Version, labels: list[Label], number: dict[Place, int]) -> Boundaries:
    """Walk over all boundaries in order, keeping the labels that hold between two of them."""
    opening: dict[int, list[Label]] = {}
    closing: dict[int, list[Label]] = {}
    for label in labels:
        first, last = _span(label.prefix)
        opening.setdefault(first, []).append(label)
        closing.setdefault(last + 1, []).append(label)
    active: list[Label] = []
    starts, numbers = [0], [0]
    for start in sorted({*opening, *closing}):
        if start > TOP[version]:
            break
        for label in closing.get(start, ()):
            active.remove(label)
        active += opening.get(start, ())
        place = Place(
            # a pool may be listed twice with the same meaning: the first in the file names it
            min((label.pool for label in active if label.pool >= 0), default=-1),
            min((label.server for label in active if label.server >= 0), default=-1),
            tuple(sorted({label.exemption for label in active if label.exemption >= 0})),
        )
        found = number.setdefault(place, len(number))
        if start == 0:
            numbers[0] = found
        elif found != numbers[-1]:
            starts.append(start)
            numbers.append(found)
    return Boundaries(starts, numbers)


def _places(labels: Iterable[Label]) -> Places:
    families: dict[int, list[Label]] = {4: [], 6: []}
    for label in labels:
        families[label.prefix.version].append(label)
    number = {Place(): 0}
    v4, v6 = _sweep(4, families[4], number), _sweep(6, families[6], number)
    return Places(list(number), v4, v6)


def sources(policy: Policy) -> Places:
    """Places by what counts for the source of a flow: its pool, own server, and exemptions by prefix."""
    return _places(
        [
            *(Label(p, pool=i) for i, pool in enumerate(policy.pools) for p in pool.prefixes),
            *(Label(a, server=i) for i, server in enumerate(policy.own_servers) for a in server.addresses),
            *(Label(p, exemption=i) for i, exemption in enumerate(policy.exemptions) for p in exemption.prefixes),
        ]
    )


def destinations(policy: Policy) -> Places:
    """Places by what counts for the destination: own server, exemptions by destination, a pool (any: all are 0)."""
    return _places(
        [
            *(Label(p, pool=0) for pool in policy.pools for p in pool.prefixes),
            *(Label(a, server=i) for i, server in enumerate(policy.own_servers) for a in server.addresses),
            *(Label(p, exemption=i) for i, exemption in enumerate(policy.exemptions) for p in exemption.destinations),
        ]
    )
