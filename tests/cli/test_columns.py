"""The fast paths of the columns take what the slow ones take, and give the same."""

from __future__ import annotations

from ipaddress import ip_address

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.cli import columns
from op25b.cli.addresses import address
from op25b.cli.columns import Faults

OCTETS = st.sampled_from(
    ["0", "1", "9", "10", "99", "199", "249", "255", "256", "300", "01", "001", "1a", "", " 1", "-1"]
)
TIMES = st.builds(
    lambda *parts: "".join(parts),
    st.sampled_from(["0000", "0001", "1970", "2008", "2100", "9999", "10000"]),
    st.sampled_from(["-01-01", "-02-29", "-12-31", "-13-01", "/01/01", "0401"]),
    st.sampled_from(["T", " ", "t", ""]),
    st.sampled_from(["00", "24", "09:05", "23:59:59", "23:59:60", "12:00:00.5", "12:00:00.1234567", "12:00:00,5"]),
    st.sampled_from(["Z", "z", "", "+09:00", "+0900", "+09", "-23:59", "+24:00", "+09:60", "+09:00:01", " +09:00"]),
)


def single(text: str) -> int | None:
    try:
        return int(address(text.strip()))
    except ValueError:
        return None


@given(st.lists(st.lists(OCTETS, min_size=3, max_size=5).map(".".join) | st.ip_addresses().map(str), min_size=1))
def test_addresses_in_a_column_are_as_alone(texts: list[str]) -> None:
    faults = Faults()
    found = columns.addresses(pa.array(texts), "src", faults)
    for row, text in enumerate(texts):
        expected = single(text)
        assert (row in faults.rows) == (expected is None) == (found.version[row] == 0), text
        if found.version[row] == 4:
            assert found.v4[row] == expected
        elif found.version[row] == 6:
            assert (int(found.high[row]) << 64) + int(found.low[row]) == expected


@given(st.ip_addresses())
def test_addresses_are_those_of_the_library(value: object) -> None:
    expected = ip_address(str(value))
    mapped = getattr(expected, "ipv4_mapped", None)
    assert address(str(value)) == (mapped or expected)


@given(st.lists(TIMES, min_size=1, max_size=4))
def test_times_do_not_depend_on_their_neighbours(texts: list[str]) -> None:
    together = Faults()
    found = columns.instants(pa.array(texts), "at", together)
    for row, text in enumerate(texts):
        alone = Faults()
        # an empty neighbour keeps the fast path away
        value = columns.instants(pa.array([text, ""]), "at", alone)[0]
        assert (row in together.rows) == (0 in alone.rows), text
        if row not in together.rows:
            assert found[row] == value


def test_offsets_mean_the_same_instant() -> None:
    texts = [
        "2008-04-01T00:00:00+09:00",
        "2008-03-31T15:00:00Z",
        "2008-03-31 10:00-0500",
        "2008-03-31T15:00:00.0000009Z",
    ]
    found = columns.instants(pa.array(texts), "at", Faults())
    assert set(found.tolist()) == {1206975600000000}


@pytest.mark.parametrize("kind", [pa.uint8(), pa.int64(), pa.uint64()])
def test_numbers_that_are_none_in_range(kind: object) -> None:
    faults = Faults()
    column = pa.array([6, 200, None], kind)
    assert columns.protocols(column, "proto", faults).tolist() == [6, 200, 6]
    assert faults.rows == {}
    assert columns.ports(column, "dport", faults).tolist()[:2] == [6, 200]
    assert faults.rows == {2: "dport is empty"}


def test_numbers_beyond_all_types() -> None:
    faults = Faults()
    columns.ports(pa.array([2**64 - 1, 70000, 25], pa.uint64()), "dport", faults)
    assert sorted(faults.rows) == [0, 1]


def test_slices_and_nulls() -> None:
    column = pa.array(["x", "192.0.2.1", None, "192.0.2.2", "y"]).slice(1, 3)
    faults = Faults()
    found = columns.addresses(column, "src", faults)
    assert found.v4.tolist() == [0xC0000201, 0, 0xC0000202]
    assert faults.rows == {1: "src is empty"}
    assert found.version.dtype == np.uint8
