"""What is read back from the kernel is what nft put there."""

from __future__ import annotations

from ipaddress import ip_address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.enforcement.elements import (
    Addresses4,
    Addresses6,
    Intervals4,
    Intervals6,
    add_elements,
    delete_elements,
)
from op25b.enforcement.readback import members_difference, read_members, read_raw_members


def four(address: str) -> int:
    return int(ip_address(address))


@pytest.mark.root
def test_members_with_timeouts_counters_and_comments(nft, link) -> None:
    nft("""table inet op25b { set s { type ipv4_addr; flags timeout; size 99; counter; elements = {
        192.0.2.1 counter packets 3 bytes 180,
        192.0.2.2 counter packets 4 bytes 240 timeout 1h,
        192.0.2.3 comment "one that stays",
        192.0.2.4 timeout 1d comment "one that goes, with a longer text",
        192.0.2.5 counter packets 5 bytes 300,
        192.0.2.6 counter packets 18446744073709551615 bytes 9 }; }; }""")
    found = read_members(link, "op25b", "s")
    assert found.elements == Addresses4.of([four(f"192.0.2.{n}") for n in range(1, 7)])
    assert found.packets.tolist() == [3, 4, 0, 0, 5, 2**64 - 1]
    assert found.octets.tolist() == [180, 240, 0, 0, 300, 9]
    stays, hour, _, day, *_ = found.expires_ms.tolist()
    assert stays == -1
    assert 0 <= 3_600_000 - hour < 60_000
    assert 0 <= 86_400_000 - day < 60_000


@pytest.mark.root
def test_a_limit_is_not_taken_for_a_counter(nft, link) -> None:
    nft("""table inet op25b { set s { type ipv4_addr; flags dynamic; size 99;
        elements = { 192.0.2.1 limit rate 5/second }; }; }""")
    found = read_members(link, "op25b", "s")
    assert (found.packets.tolist(), found.octets.tolist()) == ([0], [0])


@pytest.mark.root
def test_many_members_of_changing_layout(nft, link) -> None:
    """Long runs, broken by members with a comment: nothing is lost where a run ends."""
    wanted = [four("10.0.0.0") + n for n in range(3000)]
    words = [str(ip_address(one)) + (' comment "x"' if one % 97 == 0 else "") for one in wanted]
    nft("table inet op25b { set s { type ipv4_addr; size 3000; elements = { " + ", ".join(words) + " }; }; }")
    assert read_members(link, "op25b", "s").elements == Addresses4.of(wanted)


@pytest.mark.root
def test_intervals_that_nft_added(nft, link) -> None:
    nft("""table inet op25b {
        set v4 { type ipv4_addr; flags interval; size 99; elements = {
            0.0.0.0/8, 10.0.0.0-10.0.0.9, 10.0.0.10, 192.0.2.0/24 comment "with text", 255.255.255.255 }; }
        set v6 { type ipv6_addr; flags interval; size 99; elements = { ::/128, 2001:db8::/32, ff00::/8 }; }; }""")
    assert read_members(link, "op25b", "v4").elements.pairs() == [
        (0, four("0.255.255.255")),
        (four("10.0.0.0"), four("10.0.0.9")),
        (four("10.0.0.10"), four("10.0.0.10")),
        (four("192.0.2.0"), four("192.0.2.255")),
        (2**32 - 1, 2**32 - 1),
    ]
    assert read_members(link, "op25b", "v6").elements.pairs() == [
        (0, 0),
        (four("2001:db8::"), four("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")),
        (four("ff00::"), 2**128 - 1),
    ]


@pytest.mark.root
@pytest.mark.parametrize(("family", "kind", "bits"), [(4, Intervals4, 32), (6, Intervals6, 128)])
def test_intervals_of_nft_can_be_deleted_and_put_back(nft, link, family, kind, bits) -> None:
    """nft adds a boundary at address 0 of its own; drift is repaired all the same."""
    top = ip_address(2**bits - 1)
    one, two = ("192.0.2.0/24", "198.51.100.7") if family == 4 else ("2001:db8::/32", "3fff::7")
    nft(f"""table inet op25b {{ set s {{ type ipv{family}_addr; flags interval; size 99;
        elements = {{ {one}, {two}, {top} }}; }}; }}""")
    found = read_members(link, "op25b", "s").elements
    assert len(found) == 3
    delete_elements(link, "op25b", "s", found)
    assert len(read_members(link, "op25b", "s").elements) == 0
    add_elements(link, "op25b", "s", found)
    assert read_members(link, "op25b", "s").elements == found


@pytest.mark.root
def test_a_set_that_matches_everything_says_so(nft, link) -> None:
    nft("table inet op25b { set s { type ipv4_addr; size 9; elements = { 192.0.2.1 }; }; }")
    assert not read_members(link, "op25b", "s").catchall
    nft("add element inet op25b s { * }")
    found = read_members(link, "op25b", "s")
    assert found.catchall
    assert found.elements == Addresses4.of([four("192.0.2.1")])


@pytest.mark.root
def test_a_set_of_another_type_is_read_raw(nft, link) -> None:
    nft("""table inet op25b { set pending { type nf_proto; flags timeout; size 2;
        elements = { ipv4 timeout 60s, ipv6 timeout 60s }; }; }""")
    raw = read_raw_members(link, "op25b", "pending")
    assert sorted(raw.keys.ravel().tolist()) == [2, 10]
    assert ((raw.expires_ms > 30_000) & (raw.expires_ms <= 60_000)).all()
    with pytest.raises(ValueError, match="set pending does not hold addresses"):
        read_members(link, "op25b", "pending")


@pytest.mark.root
def test_empty_sets_and_absent_ones(nft, link) -> None:
    assert read_members(link, "op25b", "s") is None
    nft(
        """table inet op25b { set s { type ipv4_addr; size 9; }; set t { type ipv6_addr; flags interval; size 9; }; }"""
    )
    assert read_members(link, "op25b", "absent") is None
    assert read_raw_members(link, "op25b", "absent") is None
    assert read_members(link, "op25b", "s").elements == Addresses4.of([])
    assert read_members(link, "op25b", "t").elements == Intervals6.of([])


@pytest.mark.parametrize("kind", [Addresses4, Addresses6, Intervals4, Intervals6])
@given(data=st.data())
def test_difference_is_the_difference_of_sets(kind, data) -> None:
    drawn = st.sets(st.integers(0, 40).map(lambda n: n << (8 * kind.width - 8)), max_size=30)
    expected, actual = data.draw(drawn), data.draw(drawn)

    def build(numbers):
        return kind.of([(one, one + one % 3) for one in numbers] if kind.interval else numbers)

    missing, extra = members_difference(build(sorted(expected)), build(sorted(actual)))
    assert missing == build(sorted(expected - actual))
    assert extra == build(sorted(actual - expected))


def test_an_interval_of_another_length_is_another_member() -> None:
    missing, extra = members_difference(Intervals4.of([(0, 7), (9, 9)]), Intervals4.of([(0, 6), (9, 9)]))
    assert (missing.pairs(), extra.pairs()) == ([(0, 7)], [(0, 6)])


def test_difference_takes_any_order_and_only_one_kind() -> None:
    shuffled = Addresses4(np.array([3, 1, 2], np.uint32))
    missing, extra = members_difference(shuffled, Addresses4.of([1, 2, 3]))
    assert (len(missing), len(extra)) == (0, 0)
    with pytest.raises(ValueError, match="Addresses4 cannot be compared with Addresses6"):
        members_difference(shuffled, Addresses6.of([1]))
