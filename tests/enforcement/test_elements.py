"""Elements packed here are the elements that nft lists."""

from __future__ import annotations

import errno
import ipaddress
import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from op25b.enforcement.elements import (
    Addresses4,
    Addresses6,
    Elements,
    Intervals4,
    Intervals6,
    add_elements,
    delete_elements,
    load,
    step,
)
from op25b.enforcement.netlink import Netlink, NetlinkError
from op25b.enforcement.readback import members_difference, read_members

on_kernel = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

SETS = """
table inet op25b {
  set addresses4 { type ipv4_addr; size 200000; }
  set addresses6 { type ipv6_addr; size 200000; }
  set intervals4 { type ipv4_addr; flags interval; size 200001; }
  set intervals6 { type ipv6_addr; flags interval; size 200001; }
}
"""
EMPTY = "\n".join(f"flush set inet op25b {kind}{v}" for kind in ("addresses", "intervals") for v in (4, 6))

Pair = tuple[int, int]


@pytest.fixture
def sets(nft):
    nft(SETS)


def number(bits: int) -> st.SearchStrategy[int]:
    top = 2**bits - 1
    near_edges = st.sampled_from([0, 1, 2, 255, 256, top - 256, top - 255, top - 1, top])
    return near_edges | st.integers(0, top)


def address_pairs(bits: int) -> st.SearchStrategy[list[Pair]]:
    return st.lists(number(bits), unique=True, min_size=1, max_size=20).map(
        lambda numbers: [(one, one) for one in sorted(numbers)]
    )


@st.composite
def interval_pairs(draw, bits: int) -> list[Pair]:
    """Disjoint intervals: some of the pieces between random cuts, so neighbours may touch."""
    cuts = sorted(draw(st.sets(number(bits) | st.just(2**bits), min_size=2, max_size=20)))
    pieces = [(first, after - 1) for first, after in pairwise(cuts)]
    return draw(st.lists(st.sampled_from(pieces), unique=True, min_size=1).map(sorted))


def listed(nft, name: str) -> list[Pair]:
    """What nft says is in a set."""
    objects = json.loads(nft(f"list set inet op25b {name}", "-j"))["nftables"]
    (found,) = [each["set"] for each in objects if "set" in each]
    pairs = []
    for member in found.get("elem", []):
        if isinstance(member, str):
            first = last = int(ipaddress.ip_address(member))
        elif "prefix" in member:
            network = ipaddress.ip_network(f"{member['prefix']['addr']}/{member['prefix']['len']}")
            first, last = int(network[0]), int(network[-1])
        else:
            first, last = (int(ipaddress.ip_address(end)) for end in member["range"])
        pairs.append((first, last))
    return sorted(pairs)


def build(kind: type[Elements], pairs: list[Pair]) -> Elements:
    return kind.of(pairs if kind.interval else [first for first, _ in pairs])


def adds_and_deletes(nft, link: Netlink, kind: type[Elements], pairs: list[Pair], gone: set[Pair]) -> None:
    name = kind.__name__.lower()
    nft(EMPTY)
    add_elements(link, "op25b", name, build(kind, pairs))
    assert listed(nft, name) == pairs
    assert read_members(link, "op25b", name).elements == build(kind, pairs)
    delete_elements(link, "op25b", name, build(kind, sorted(gone)))
    left = [pair for pair in pairs if pair not in gone]
    assert listed(nft, name) == left
    assert read_members(link, "op25b", name).elements == build(kind, left)


@pytest.mark.root
@on_kernel
@given(st.data())
@pytest.mark.parametrize("kind", [Addresses4, Addresses6, Intervals4, Intervals6])
def test_nft_lists_what_was_added_and_not_what_was_deleted(nft, link, sets, kind, data) -> None:
    bits = 8 * kind.width
    pairs = data.draw(interval_pairs(bits) if kind.interval else address_pairs(bits))
    adds_and_deletes(nft, link, kind, pairs, data.draw(st.sets(st.sampled_from(pairs))))


@pytest.mark.root
@pytest.mark.parametrize(("kind", "bits"), [(Intervals4, 32), (Intervals6, 128)])
def test_the_whole_address_space_is_one_interval(nft, link, sets, kind, bits) -> None:
    adds_and_deletes(nft, link, kind, [(0, 2**bits - 1)], {(0, 2**bits - 1)})


@pytest.mark.root
@pytest.mark.parametrize("kind", [Addresses4, Addresses6, Intervals4, Intervals6])
def test_hundred_thousand_members_go_in_and_come_back(nft, link, sets, kind) -> None:
    drawn = np.random.default_rng(25).choice(2**31 // 8, 100_000, replace=False) * 8
    numbers = np.sort(drawn).tolist()
    shift = 8 * kind.width - 31
    elements = build(kind, [(one << shift, (one << shift) + (5 if kind.interval else 0)) for one in numbers])
    if not kind.interval:
        elements = elements.take(np.random.default_rng(25).permutation(len(elements)))
    name = kind.__name__.lower()
    add_elements(link, "op25b", name, elements)
    missing, extra = members_difference(elements, read_members(link, "op25b", name).elements)
    assert (len(missing), len(extra)) == (0, 0)
    delete_elements(link, "op25b", name, elements)
    assert len(read_members(link, "op25b", name).elements) == 0


@pytest.mark.root
def test_many_sets_are_loaded_at_once(nft, link) -> None:
    nft("\n".join(["table inet op25b {", *(f"set s{n} {{ type ipv4_addr; size 9; }}" for n in range(300)), "}"]))
    load(link, "op25b", ((f"s{n}", Addresses4.of([n, n + 1])) for n in range(300)))
    for n in range(300):
        assert read_members(link, "op25b", f"s{n}").elements == Addresses4.of([n, n + 1])


@pytest.mark.root
def test_adding_what_is_there_changes_nothing(nft, link, sets) -> None:
    for _ in range(2):
        add_elements(link, "op25b", "intervals4", Intervals4.of([(0, 7), (8, 9)]))
        add_elements(link, "op25b", "addresses4", Addresses4.of([7]))
    assert listed(nft, "intervals4") == [(0, 7), (8, 9)]
    assert listed(nft, "addresses4") == [(7, 7)]


@pytest.mark.root
def test_nothing_to_add_is_nothing_done(nft, link, sets) -> None:
    for kind in (Addresses4, Addresses6, Intervals4, Intervals6):
        add_elements(link, "op25b", kind.__name__.lower(), kind.of([]))
        assert listed(nft, kind.__name__.lower()) == []


@pytest.mark.root
@pytest.mark.parametrize(
    ("name", "elements", "number"),
    [
        ("absent", Addresses4.of([1]), errno.ENOENT),
        ("addresses6", Addresses4.of([1]), errno.EINVAL),
        ("intervals4", Intervals6.of([(1, 2)]), errno.EINVAL),
        ("addresses4", Intervals4.of([(1, 2)]), errno.EINVAL),
        # The kernel itself would take this one, and match every address from it on.
        ("intervals4", Addresses4.of([1]), errno.EINVAL),
    ],
)
def test_the_wrong_set_is_refused(link, sets, name, elements, number) -> None:
    for change in (add_elements, delete_elements):
        with pytest.raises(NetlinkError) as refusal:
            change(link, "op25b", name, elements)
        assert refusal.value.errno == number
        assert name in str(refusal.value)


@pytest.mark.root
def test_a_full_set_is_refused_and_the_transaction_undone(nft, link) -> None:
    nft("table inet op25b { set small { type ipv4_addr; size 10; }; }")
    with pytest.raises(NetlinkError, match=r"adding to set small: the set is full") as refusal:
        add_elements(link, "op25b", "small", Addresses4.of(range(11)))
    assert refusal.value.errno == errno.ENFILE
    assert listed(nft, "small") == []


@pytest.mark.root
def test_overlaps_and_absent_members_are_refused(link, sets) -> None:
    add_elements(link, "op25b", "intervals4", Intervals4.of([(10, 20)]))
    with pytest.raises(NetlinkError, match="overlaps"):
        add_elements(link, "op25b", "intervals4", Intervals4.of([(15, 30)]))
    with pytest.raises(NetlinkError, match="no such") as refusal:
        delete_elements(link, "op25b", "addresses4", Addresses4.of([1]))
    assert refusal.value.errno == errno.ENOENT


@pytest.mark.root
@pytest.mark.parametrize("kind", [Addresses4, Addresses6, Intervals4, Intervals6])
def test_the_declared_size_suffices(nft, link, kind) -> None:
    flags = "flags interval;" if kind.interval else ""
    family = 4 if kind.width == 4 else 6
    size = kind.declared_size(1000)
    nft(f"table inet op25b {{ set s {{ type ipv{family}_addr; {flags} size {size}; }}; }}")
    add_elements(
        link,
        "op25b",
        "s",
        build(kind, [(8 * n + 1, 8 * n + (3 if kind.interval else 1)) for n in range(1000)]),
    )
    assert len(listed(nft, "s")) == 1000


@pytest.mark.parametrize("pairs", [[(5, 4)], [(1, 2), (2, 3)], [(4, 5), (1, 2)], [(1, 9), (3, 4)], [(1, 2), (1, 2)]])
@pytest.mark.parametrize("kind", [Intervals4, Intervals6])
def test_intervals_must_be_sorted_and_disjoint(kind, pairs) -> None:
    with pytest.raises(ValueError, match="sorted and disjoint"):
        kind.of(pairs)


@pytest.mark.parametrize(
    "build_wrongly",
    [
        lambda: Addresses4(np.zeros(3, np.int64)),
        lambda: Addresses4(np.zeros((3, 4), np.uint32)),
        lambda: Addresses6(np.zeros((3, 4), np.uint8)),
        lambda: Intervals4(np.zeros(1, np.uint32), np.zeros(2, np.uint32)),
    ],
)
def test_arrays_of_another_shape_or_type_are_refused(build_wrongly) -> None:
    with pytest.raises(ValueError, match="takes"):
        build_wrongly()


@given(st.lists(number(128), min_size=1), st.sampled_from([1, -1]))
def test_step_counts_modulo_the_address_space(numbers, by) -> None:
    for kind, bits in ((Addresses6, 128), (Addresses4, 32)):
        start = [one % 2**bits for one in numbers]
        rows = np.array([list(one.to_bytes(bits // 8, "big")) for one in start], np.uint8)
        stepped = [int.from_bytes(bytes(row), "big") for row in step(rows, by)]
        assert stepped == [(one + by) % 2**bits for one in start]
        assert kind.of(start).pairs() == [(one, one) for one in start]


@given(st.lists(number(128), unique=True))
def test_keys_sort_as_addresses_do(numbers) -> None:
    by_key = Addresses6.of(numbers)
    assert by_key.take(np.argsort(by_key.keys())).pairs() == [(one, one) for one in sorted(numbers)]
