"""Interval sets against Python's sets of small integers, and prefixes against `ipaddress`."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, collapse_addresses, ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.policy.intervals import (
    TOP,
    AddressSet,
    Intervals,
    Version,
    address,
    difference,
    intersection,
    prefixes,
    union,
)

LOW = st.integers(0, 40)
RAW = st.lists(st.tuples(LOW, LOW).map(lambda pair: (min(pair), max(pair))), max_size=6)
SETS = RAW.map(union)
VERSIONS: tuple[Version, Version] = (4, 6)


def members(intervals: Intervals) -> set[int]:
    return {value for first, last in intervals for value in range(first, last + 1)}


def normal(intervals: Intervals) -> bool:
    """Sorted, disjoint, and not adjacent."""
    return all(first <= last for first, last in intervals) and all(
        one[1] + 1 < other[0] for one, other in pairwise(intervals)
    )


@given(RAW)
def test_union(raw: list[tuple[int, int]]) -> None:
    assert members(union(raw)) == members(tuple(raw))
    assert normal(union(raw))


@given(SETS, SETS)
def test_difference(left: Intervals, right: Intervals) -> None:
    assert members(difference(left, right)) == members(left) - members(right)
    assert normal(difference(left, right))


@given(SETS, SETS)
def test_intersection(left: Intervals, right: Intervals) -> None:
    assert members(intersection(left, right)) == members(left) & members(right)
    assert normal(intersection(left, right))


@given(SETS, st.sampled_from(VERSIONS))
def test_prefixes_are_the_fewest(intervals: Intervals, version: Version) -> None:
    found = list(prefixes(version, intervals))
    assert AddressSet.of(found).family(version) == intervals
    singles = [ip_network(address(version, value)) for value in sorted(members(intervals))]
    assert found == list(collapse_addresses(singles))  # type: ignore[type-var]


@given(SETS, SETS, SETS, SETS)
def test_address_sets_keep_the_families_apart(a: Intervals, b: Intervals, c: Intervals, d: Intervals) -> None:
    left, right = AddressSet(a, b), AddressSet(c, d)
    for version in VERSIONS:
        one, other = members(left.family(version)), members(right.family(version))
        assert members((left | right).family(version)) == one | other
        assert members((left & right).family(version)) == one & other
        assert members((left - right).family(version)) == one - other
        assert {value for value in range(45) if address(version, value) in left} == one
    assert bool(left) == bool(members(a) or members(b))
    assert AddressSet.of(left.prefixes()) == left


@pytest.mark.parametrize("version", VERSIONS)
def test_the_ends_of_the_address_space(version: Version) -> None:
    top = TOP[version]
    everything: Intervals = ((0, top),)
    assert union([(0, 5), (6, top)]) == everything
    assert difference(everything, ((0, 0), (top, top))) == ((1, top - 1),)
    assert [net.prefixlen for net in prefixes(version, everything)] == [0]
    assert AddressSet.of([address(version, top)]).family(version) == ((top, top),)


def test_addresses_of_both_families() -> None:
    assert address(4, 1) == IPv4Address("0.0.0.1")
    assert address(6, 1) == IPv6Address("::1")
