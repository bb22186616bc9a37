"""Prefixes of pools inside one another, and whether the two pools mean the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from op25b.policy.intervals import Prefix
from op25b.policy.model import Phase, Pool


class Spot(NamedTuple):
    """A prefix of a pool, by its numbers in the lists."""

    pool: int
    number: int
    prefix: Prefix


def overlaps(pools: Sequence[Pool]) -> Iterator[tuple[Spot, Spot]]:
    """Each prefix that lies in another, of the same pool or not, with the smallest that holds it.

    Two prefixes are nested or disjoint, so one sorted pass with a stack of the open ones finds them all; an equal
    one lies in the one that stands first in the file. If a prefix means something else than any that holds it,
    then some neighbours in that chain differ, so the smallest is enough.
    """
    spots = [Spot(at, number, prefix) for at, pool in enumerate(pools) for number, prefix in enumerate(pool.prefixes)]
    spots.sort(key=lambda spot: (spot.prefix.version, int(spot.prefix.network_address), spot.prefix.prefixlen))
    open_: list[Spot] = []
    for spot in spots:
        while open_ and not _holds(open_[-1].prefix, spot.prefix):
            open_.pop()
        if open_:
            yield spot, open_[-1]
        open_.append(spot)


def _holds(outer: Prefix, inner: Prefix) -> bool:
    # the first address of `inner` is not before that of `outer`, being sorted
    return outer.version == inner.version and int(outer.broadcast_address) >= int(inner.network_address)


def meanings(pools: Sequence[Pool], phases: Sequence[Phase]) -> list[tuple[object, ...]]:
    """What each pool means: two with the same are treated alike by every phase, whichever an address is in."""
    lists = (names for phase in phases for names in (phase.scope.pools, phase.scope.not_pools))
    named = [frozenset(names) for names in lists if names]
    return [
        (pool.line, pool.region, pool.assignment, pool.contract, tuple(pool.name in names for names in named))
        for pool in pools
    ]
