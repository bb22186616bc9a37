"""Prefixes as rows: to and from texts, made normal, compared; always as ipaddress has it."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.enforcement.members import Delta, Members, bounds, count, difference, normal
from op25b.enforcement.prefix_texts import members, texts
from op25b.ruleset.live import KINDS, LENGTHS, SetKind, names, parse

Net = IPv4Network | IPv6Network


@st.composite
def prefixes(draw: st.DrawFn) -> Net:
    """Near each other, so that they nest and repeat; of lengths with a hash of their own and without."""
    if draw(st.booleans()):
        length = draw(st.sampled_from((0, 8, 24, 31, 32)))
        return ip_network((draw(st.sampled_from((0, 0xC0000200, 0xFFFFFFFF))) >> 32 - length << 32 - length, length))
    length = draw(st.sampled_from((0, 32, 48, 49, 56, 64, 127, 128)))
    base = draw(st.sampled_from((0, 0x20010DB8 << 96, (1 << 128) - 1)))
    return IPv6Network((base >> 128 - length << 128 - length, length))


def written(found: Members) -> list[str]:
    return [text for kind, rows in found.items() for text in texts(kind, rows)]


@given(st.lists(prefixes()))
def test_texts_there_and_back(nets: list[Net]) -> None:
    asked = [str(net) for net in nets]
    found = members(asked)
    assert sorted(written(found)) == sorted(asked)
    for kind, rows in found.items():
        first, last = bounds(kind, rows)
        spans = [(ip_network(text)[0].packed, ip_network(text)[-1].packed) for text in texts(kind, rows)]
        assert [(bytes(a), bytes(b)) for a, b in zip(first, last, strict=True)] == spans


@given(st.lists(prefixes()))
def test_normal_is_each_once_and_none_within_another_in_kinds_of_any_length(nets: list[Net]) -> None:
    found = normal(members(map(str, nets)))
    for kind in KINDS:
        mine = {net for net in nets if SetKind.of(net.version, net.prefixlen) == kind}
        if kind.length is None:
            mine = {net for net in mine if not any(net != other and net.subnet_of(other) for other in mine)}
        rows = texts(kind, found[kind]) if kind in found else []
        assert [ip_network(text) for text in rows] == sorted(mine)


@given(st.lists(prefixes()), st.lists(prefixes()))
def test_a_difference_turns_one_into_the_other(before: list[Net], after: list[Net]) -> None:
    present, wanted = normal(members(map(str, before))), normal(members(map(str, after)))
    delta = difference(wanted, present)
    have, want = {*written(present)}, {*written(wanted)}
    assert {*written(delta.add)} == want - have
    assert {*written(delta.remove)} == have - want
    assert bool(delta) == (have != want)


def test_many_texts() -> None:
    found = members([f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32" for n in range(100_000)])
    assert count(found) == 100_000
    assert found[SetKind(4, 32)][-1].tolist() == [10, 1, 134, 159]
    assert list(collapse_addresses(map(ip_network, texts(SetKind(4, 32), found[SetKind(4, 32)][:256])))) == [
        ip_network("10.0.0.0/24")
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("192.0.2.1", "192.0.2.1/ is no prefix"),
        ("192.0.2.1/33", "192.0.2.1/33 is no prefix"),
        ("192.0.2.1/-1", "is no prefix"),
        ("192.0.2.1/٣", "is no prefix"),
        ("192.0.2.256/32", "192.0.2.256/32 is no prefix"),
        ("2001:db8::/129", "is no prefix"),
        ("2001:db8::g/64", "2001:db8::g/64 is no prefix"),
        ("2001:db8::1/64", "length 64: an address has bits beyond"),
        ("192.0.2.1/24", "length 24: an address has bits beyond"),
        ("", "is no prefix"),
    ],
)
def test_what_is_no_prefix(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        members(["192.0.2.1/32", "2001:db8::/64", text])


def test_destinations_are_intervals_of_any_length() -> None:
    found = members(["192.0.2.1/32", "2001:db8::/64"], destination=True)
    assert {*found} == {SetKind(4, None, True), SetKind(6, None, True)}
    assert written(found) == ["192.0.2.1/32", "2001:db8::/64"]


def test_nothing() -> None:
    assert members([]) == {}
    assert difference({}, {}) == Delta()
    assert normal({SetKind(4, 32): np.zeros((0, 4), np.uint8)}) == {}


def test_names_say_what_they_are() -> None:
    for size in (1, 65536, 1 << 20):
        for kind in KINDS:
            for number, name in enumerate(names(kind, size)):
                assert parse(name) == (kind, size, number)
    for other in ("exempt4-32", "exempt4-31_65536", "g1_exempt4-32_65536", "exempt5-32_1", "exempt4-32_1_", "refused4"):
        assert parse(other) is None
    assert len({name for kind in KINDS for name in names(kind, 1 << 24)}) == sum(len(names(k, 1 << 24)) for k in KINDS)
    assert sum(map(len, LENGTHS.values())) + 4 == len(KINDS)
