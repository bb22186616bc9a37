"""Hypothesis sends reports of every kind; the invariants stand in tests/fuzz/accounting.py."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from op25b.subscribers.accounting.facts import Attribute
from op25b.subscribers.accounting.rest import _READ
from tests.fuzz.accounting import check_packet, check_post, signed

VALUES = st.one_of(
    st.binary(max_size=253),
    st.sampled_from([4, 16, 18]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    st.integers(0, 20).map(lambda number: number.to_bytes(4)),
    st.integers(0, 130).flatmap(lambda length: st.binary(max_size=16).map(lambda octets: bytes((0, length)) + octets)),
    st.text(max_size=60).map(lambda text: text.encode(errors="replace")),
)
ATTRIBUTES = st.lists(
    st.tuples(st.sampled_from([*map(int, Attribute), 26]), VALUES).map(
        lambda pair: bytes((pair[0], len(pair[1]) + 2)) + pair[1] if len(pair[1]) < 254 else b""
    ),
    max_size=14,
).map(b"".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.ip_addresses().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "type"]), inner, max_size=2),
    max_leaves=5,
)


@given(st.binary(max_size=300))
def test_any_octets(octets: bytes) -> None:
    check_packet(octets)


@given(st.binary(max_size=300))
def test_any_octets_that_are_signed(octets: bytes) -> None:
    check_packet(signed(octets))


@given(ATTRIBUTES, st.integers(0, 3))
def test_attributes(attributes: bytes, cut: int) -> None:
    check_packet(signed(attributes[: len(attributes) - cut]))


@given(st.binary(max_size=300))
def test_any_body(body: bytes) -> None:
    check_post(body)


@given(st.dictionaries(st.sampled_from([*_READ, "NAS-Port"]), JSON | st.lists(JSON).map(lambda v: {"value": v})))
def test_any_json(document: object) -> None:
    check_post(json.dumps(document).encode())
