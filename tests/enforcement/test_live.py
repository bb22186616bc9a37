"""Live sets in a real kernel: what they hold, what packets meet, and what an apply with another size does to them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from op25b.enforcement import inventory, kernel, live_members
from op25b.enforcement.live import NAME, Full, LiveSets, NoLiveSets
from op25b.enforcement.members import Delta, Members, count, difference, normal
from op25b.enforcement.prefix_texts import members, texts
from op25b.enforcement.verify import live_difference
from op25b.errors import UserError
from op25b.ruleset.live import KINDS, SHARD, SetKind, all_names, declarations
from tests.support.enforced import Edge, policy
from tests.support.traffic import Traffic

pytestmark = pytest.mark.root
FIRST = policy("abcd", "d")
HOSTS4, HOSTS6 = SetKind(4, 32), SetKind(6, 128)
ONE_OF_EACH = [
    "192.0.2.1/32", "198.18.4.0/24", "2001:db8::1/128", "2001:db8:1::/64", "2001:db8:0:10::/60", "2001:db8:0:100::/56",
    "2001:db8:0:1000::/52", "2001:db8:12::/48", "2001:db8:13::/49",
]  # fmt: skip


def sized(text: str, size: int) -> str:
    return f"{text}\n[filter]\nexempt_size = {size}\n"


@pytest.fixture
def sets(edge: Edge) -> LiveSets:
    edge.apply(FIRST)
    return LiveSets(edge.link)


def both(sources: list[str], destinations: list[str] | None = None) -> Members:
    return members(sources) | members(destinations or [], destination=True)


def held(found: Members) -> set[str]:
    """As texts; a destination with `to` before it."""
    return {("to " if kind.destination else "") + text for kind, rows in found.items() for text in texts(kind, rows)}


def add(sets: LiveSets, *prefixes: str) -> None:
    sets.change(Delta(add=members(prefixes)))


def remove(sets: LiveSets, *prefixes: str) -> None:
    sets.change(Delta(remove=members(prefixes)))


def test_every_kind_is_written_and_read(sets: LiveSets) -> None:
    wanted = both(ONE_OF_EACH, ["203.0.113.7/32", "2001:db8:ffff::/64"])
    assert {*wanted} == {*KINDS}
    sets.change(Delta(add=wanted))
    assert held(sets.read()) == {*ONE_OF_EACH, "to 203.0.113.7/32", "to 2001:db8:ffff::/64"}
    assert difference(wanted, sets.read()) == Delta()
    sets.change(Delta(remove=wanted))
    assert sets.read() == {}


def test_what_is_there_already_or_not_is_left_so(sets: LiveSets, nft: Callable[..., str]) -> None:
    add(sets, *ONE_OF_EACH)
    add(sets, *ONE_OF_EACH)
    assert held(sets.read()) == {*ONE_OF_EACH}
    # one that is there and one that is not, of each kind
    remove(sets, "192.0.2.1/32", "192.0.2.2/32", "198.18.4.0/24", "198.18.5.0/24")
    assert held(sets.read()) == {*ONE_OF_EACH[2:]}
    sets.change(Delta(add=members(["192.0.2.9/32"]), remove=members(["192.0.2.9/32", "192.0.2.8/32"])))
    assert held(sets.read()) == {*ONE_OF_EACH[2:], "192.0.2.9/32"}
    # half of one that is there
    add(sets, "198.18.4.0/24")
    remove(sets, "198.18.4.0/25")
    assert held(sets.read()) == {*ONE_OF_EACH[1:], "192.0.2.9/32"}
    sets.change(Delta())
    nft("flush set inet op25b exempt4-32_65536")
    remove(sets, "192.0.2.9/32")


def test_prefixes_within_others_are_refused_and_change_nothing(sets: LiveSets) -> None:
    with pytest.raises(ValueError, match="disjoint"):
        add(sets, "192.0.2.7/32", "198.18.4.0/24", "198.18.4.0/25")
    add(sets, "198.18.4.0/24")
    with pytest.raises(OSError, match="overlaps"):
        add(sets, "192.0.2.7/32", "198.18.4.0/25")
    assert held(sets.read()) == {"198.18.4.0/24"}


def test_neighbours_stay_apart(sets: LiveSets) -> None:
    add(sets, "198.18.4.0/24", "198.18.5.0/24")
    remove(sets, "198.18.4.0/24")
    assert held(sets.read()) == {"198.18.5.0/24"}


def test_replace_repairs_what_someone_else_did(sets: LiveSets, nft: Callable[..., str]) -> None:
    wanted = both([*ONE_OF_EACH, "198.18.4.128/25"], ["203.0.113.0/24"])
    assert sets.replace(wanted) == (10, 0), "one prefix is within another"
    assert sets.replace(wanted) == (0, 0)
    nft("delete element inet op25b exempt4-32_65536 { 192.0.2.1 }")
    nft("add element inet op25b exempt6-56_65536 { 2001:db8:9:100:: }")
    nft("delete element inet op25b exempt4-other_65536 { 198.18.4.0/24 }")
    nft("add element inet op25b exempt4-other_65536 { 198.18.4.7-198.18.9.9 }")
    assert sets.replace(wanted) == (2, 2)
    assert difference(wanted, sets.read()) == Delta()
    nft("add element inet op25b exempt4-32_65536 { * }")
    sets.replace(wanted)
    assert "*" not in nft("list set inet op25b exempt4-32_65536")
    assert difference(wanted, sets.read()) == Delta()


def test_differences_are_told_by_prefix(edge: Edge, sets: LiveSets, nft: Callable[..., str]) -> None:
    wanted = both(ONE_OF_EACH, ["203.0.113.0/24"])
    assert [each.object for each in live_difference(edge.link, wanted)] == [
        f"set {name}" for name in all_names(65536) if name != "exempt-to6_65536"
    ]
    sets.replace(wanted)
    assert live_difference(edge.link, wanted) == []
    nft("delete element inet op25b exempt6-56_65536 { 2001:db8:0:100:: }")
    nft("add element inet op25b exempt4-other_65536 { 198.18.5.1-198.18.5.2 }")
    assert [each.describe() for each in live_difference(edge.link, wanted)] == [
        "set exempt4-other_65536: 0 members missing, 1 too many; extra: 198.18.5.1/32, 198.18.5.2/32",
        "set exempt6-56_65536: 1 members missing, 0 too many; missing: 2001:db8:0:100::/56",
    ]
    nft("add element inet op25b exempt4-32_65536 { * }")
    assert live_difference(edge.link, wanted)[0].what == "holds `*`, which matches every address"
    nft("delete table inet op25b")
    assert live_difference(edge.link, {}) == []
    assert live_difference(edge.link, wanted)[0].describe() == "live sets: are not there, with 10 members"


def test_a_table_made_anew_is_another_epoch(edge: Edge, sets: LiveSets, nft: Callable[..., str]) -> None:
    add(sets, "192.0.2.1/32")
    epoch = sets.epoch
    nft("add table inet other")
    add(sets, "192.0.2.2/32")
    assert sets.epoch == epoch
    nft("delete table inet op25b")
    assert sets.sizes() == ()
    with pytest.raises(NoLiveSets):
        add(sets, "192.0.2.3/32")
    edge.apply(FIRST)
    add(sets, "192.0.2.3/32")
    assert sets.epoch != epoch
    assert held(sets.read()) == {"192.0.2.3/32"}


def test_full(edge: Edge) -> None:
    edge.apply(sized(FIRST, 16))
    sets = LiveSets(edge.link)
    addresses = [f"192.0.2.{number}/32" for number in range(17)]
    with pytest.raises(Full):
        add(sets, *addresses)
    with pytest.raises(Full):
        sets.replace(members(addresses))
    assert sets.read() == {}
    add(sets, *addresses[:16])
    # as many go as come, in one transaction
    sets.change(Delta(add=members(addresses[16:]), remove=members(addresses[:1])))
    assert sets.replace(members(addresses[:16])) == (1, 1)
    with pytest.raises(UserError, match="leaves no room"):
        edge.apply(sized(FIRST, 15))
    edge.apply(sized(FIRST, 17))
    assert held(sets.read()) == {*addresses[:16]}


def test_without_live_sets(edge: Edge) -> None:
    sets = LiveSets(edge.link)
    assert sets.sizes() == ()
    edge.apply(sized(FIRST, 0))
    assert sets.sizes() == ()
    assert edge.verify(sized(FIRST, 0)) == []
    edge.apply(FIRST)
    assert sets.sizes() == (65536,)


def test_packets_meet_what_is_live(edge: Edge, sets: LiveSets, traffic: Traffic) -> None:
    assert traffic.passing() == "d"
    for four, six in (("198.18.1.7/32", "2001:db8:1::/48"), ("198.18.1.0/24", "2001:db8:1::7/128")):
        add(sets, four, six)
        assert traffic.passing() == "ad"
        remove(sets, four, six)
        assert traffic.passing() == "d"
    sets.change(Delta(add=both([], ["203.0.113.0/28", "203.0.113.25/32", "2001:db8:ffff::25/128"])))
    assert traffic.passing() == "abcd"
    assert edge.status().counters["exemptions/live"].packets == 10


def test_another_size_takes_the_members_along(edge: Edge, sets: LiveSets, traffic: Traffic) -> None:
    wanted = both([*ONE_OF_EACH, "198.18.1.0/24", "2001:db8:1::/48"], ["192.0.2.0/24"])
    sets.replace(wanted)
    text, larger = FIRST, sized(FIRST, 70_000)
    epoch = sets.epoch
    with traffic.flowing() as flowing:
        edge.apply(larger, seconds=60)
        assert sets.sizes() == (65536, 70_000)
        assert edge.verify(larger) == []
        sets.change(Delta(add=members(["192.0.2.99/32"]), remove=members(["192.0.2.1/32"])))
        assert edge.rollback() == 1
        assert edge.verify(text) == []
        assert (sets.sizes(), sets.epoch) == ((65536,), epoch)
        edge.apply(larger)
    assert {fate for (pool, _), fate in flowing.fates if pool == "a"} == {"arrived"}
    assert {fate for (pool, _), fate in flowing.fates if pool == "b"} == {"reset"}
    assert sets.sizes() == (70_000,)
    assert held(sets.read()) == held(normal(wanted)) - {"192.0.2.1/32"} | {"192.0.2.99/32"}
    assert edge.verify(larger) == []


def test_a_change_between_staging_and_switching_is_in_both(edge: Edge, sets: LiveSets, nft: Callable[..., str]) -> None:
    """The writer that does not know yet of the sets that were just made: the kernel tells it."""
    add(sets, "192.0.2.1/32", "192.0.2.2/32")
    nft("table inet op25b {\n" + "\n".join(declarations(70_000)) + "\n}")
    remove(sets, "192.0.2.1/32")
    for size in sets.sizes():
        assert held(live_members.read(edge.link, size)) == {"192.0.2.2/32"}, size


def test_a_change_of_nothing_hides_no_change_of_others(edge: Edge, sets: LiveSets, nft: Callable[..., str]) -> None:
    """The kernel's number of the ruleset's state is where it was after a transaction that changed nothing."""
    add(sets, "192.0.2.1/32")
    before = inventory.ruleset_id(edge.link)
    add(sets, "192.0.2.1/32")
    assert inventory.ruleset_id(edge.link) == before
    nft("table inet op25b {\n" + "\n".join(declarations(70_000)) + "\n}")
    assert inventory.ruleset_id(edge.link) == before + 1
    add(sets, "192.0.2.2/32")
    for size in (65536, 70_000):
        assert held(live_members.read(edge.link, size)) == {"192.0.2.1/32", "192.0.2.2/32"}, size


def test_a_size_that_someone_added_goes_with_an_apply(edge: Edge, sets: LiveSets, nft: Callable[..., str]) -> None:
    nft("table inet op25b {\n" + "\n".join(declarations(70_000)) + "\n}")
    assert len(edge.verify(FIRST)) == len(all_names(70_000))
    edge.apply(FIRST)
    assert edge.verify(FIRST) == []
    assert sets.sizes() == (65536,)


def test_verify_names_what_is_missing_or_of_another_type(edge: Edge, sets: LiveSets, nft: Callable[..., str]) -> None:
    name = edge.name("allowed")
    nft(f"flush chain inet op25b {name}\ndelete set inet op25b exempt4-32_65536")
    nft("add set inet op25b exempt4-32_65536 { type ipv4_addr; flags interval; size 9; }")
    nft("delete set inet op25b exempt6-48_65536")
    told = [each.describe() for each in edge.verify(FIRST)]
    assert f"chain {name}: holds other rules than were applied" in told
    assert "set exempt4-32_65536: is of another type or size than was applied" in told
    assert "set exempt6-48_65536: is not there" in told
    assert sets.sizes() == ()


def test_members_outlive_a_time_without_a_phase(edge: Edge, sets: LiveSets) -> None:
    add(sets, *ONE_OF_EACH)
    edge.apply(policy(""))
    assert edge.verify(policy("")) == []
    edge.apply(FIRST)
    assert held(sets.read()) == {*ONE_OF_EACH}


def test_large_sets_are_spread_over_several(edge: Edge) -> None:
    edge.apply(sized(FIRST, 3 * SHARD))
    sets = LiveSets(edge.link)
    rows = np.arange(3 * SHARD, dtype=">u4").view(np.uint8).reshape(-1, 4)
    six = np.zeros((1000, 16), np.uint8)
    six[:, 6:8] = rows[:1000, 2:]
    wanted = {HOSTS4: rows, SetKind(6, 64): six}
    assert sets.replace(wanted) == (count(wanted), 0)
    names = [each.name for each in inventory.read_sets(edge.link, NAME) if each.name.startswith("exempt4-32")]
    assert len(names) == 3
    assert difference(wanted, sets.read()) == Delta()
    sets.change(Delta(remove={HOSTS4: rows[::3]}, add=members(["255.255.255.255/32"])))
    assert count(sets.read()) == count(wanted) - SHARD + 1
    assert edge.verify(sized(FIRST, 3 * SHARD)) == []
    assert kernel.exempt_size(edge.link, 1) == 3 * SHARD
