"""The codec: what is packed comes out again; what was not packed here is refused or read, and never anything else."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.enforcement import requests
from op25b.enforcement.members import OCTETS, Delta, Members, row_octets
from op25b.enforcement.requests import MOST, Attempts, Code, Refused, State, Type
from op25b.ruleset.live import KINDS, SEEN_SETS


@st.composite
def some_members(draw: st.DrawFn) -> Members:
    found = Members()
    for kind in draw(st.lists(st.sampled_from(KINDS), unique=True)):
        width = row_octets(kind)
        data = draw(st.binary(max_size=20 * width))
        if rows := len(data) // width:
            found[kind] = np.frombuffer(data, np.uint8, rows * width).reshape(rows, width)
    return found


def same(one: Members, other: Members) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[kind], other[kind]) for kind in one)


@given(some_members(), some_members())
def test_members_and_changes(add: Members, remove: Members) -> None:
    assert same(requests.unpack_members(requests.pack_members(add)), add)
    found = requests.unpack_delta(requests.pack_delta(Delta(add, remove)))
    assert same(found.add, add)
    assert same(found.remove, remove)


@given(some_members(), st.integers(30, 100))
def test_parts_fit_and_are_all_there(members: Members, most: int) -> None:
    parts = list(requests.parts(members, most))
    assert all(len(requests.pack_members(part)) <= most for part in parts)
    joined = {kind: np.concatenate([part[kind] for part in parts if kind in part]) for kind in members}
    assert same(joined, members)


def test_a_part_of_a_million_is_a_frame() -> None:
    rows = np.zeros((1_000_000, 4), np.uint8)
    parts = list(requests.parts({KINDS[0]: rows}))
    assert sum(len(part[KINDS[0]]) for part in parts) == len(rows)
    for part in parts:
        requests.frame(Type.CHUNK, requests.pack_members(part))
    with pytest.raises(ValueError, match="octets in one frame"):
        requests.frame(Type.CHUNK, bytes(MOST + 1))


@given(
    st.builds(
        State,
        st.integers(0, 2**32 - 1),
        st.lists(st.integers(0, 2**32 - 1), max_size=9).map(tuple),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
    )
)
def test_states(state: State) -> None:
    assert requests.unpack_state(requests.pack_state(state)) == state


@pytest.mark.parametrize("name", SEEN_SETS)
@pytest.mark.parametrize("count", [1, 100_000])
def test_attempts(name: str, count: int) -> None:
    width = OCTETS[SEEN_SETS[name]]
    numbers = np.arange(count, dtype=np.uint64)
    sources = np.tile(numbers.astype(">u4").view(np.uint8).reshape(-1, 4), width // 4)
    frames = list(requests.pack_seen({name: Attempts(sources, numbers, numbers + np.uint64(2**40))}))
    assert all(len(each) <= MOST for each in frames)
    found = [requests.unpack_seen(each) for each in frames]
    assert {each for each, _ in found} == {name}
    assert np.array_equal(np.concatenate([each.sources for _, each in found]), sources)
    assert np.array_equal(np.concatenate([each.packets for _, each in found]), numbers)
    assert np.array_equal(np.concatenate([each.octets for _, each in found]), numbers + np.uint64(2**40))


@given(st.sampled_from(Code), st.text(max_size=600))
def test_refusals(code: Code, text: str) -> None:
    found = requests.unpack_refusal(requests.pack_refusal(Refused(code, text)))
    assert found.code is code
    assert text.startswith(str(found).rstrip("\ufffd")) or "\ufffd" in text or "?" in str(found)


@given(st.binary(max_size=200))
def test_random_octets_are_read_or_refused(data: bytes) -> None:
    for unpack in (requests.unpack_members, requests.unpack_delta, requests.unpack_state, requests.unpack_seen):
        with suppress(Refused):
            unpack(data)
    requests.unpack_refusal(data)


@given(st.binary(min_size=requests.HEADER.size, max_size=requests.HEADER.size))
def test_a_header_is_refused_or_bounded(data: bytes) -> None:
    with suppress(Refused):
        kind, size = requests.header(data)
        assert isinstance(kind, Type)
        assert size <= MOST
