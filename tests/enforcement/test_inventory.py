"""What a table consists of, read back as nft made it."""

from __future__ import annotations

import pytest

from op25b.enforcement.inventory import (
    NFT_SET_INTERVAL,
    NFT_SET_TIMEOUT,
    Chain,
    Counter,
    Hook,
    SetInfo,
    Table,
    read_chains,
    read_counters,
    read_rules,
    read_set,
    read_sets,
    read_table,
)

pytestmark = pytest.mark.root

TABLE = """
table inet other {
  counter elsewhere { packets 1 bytes 1; }
  set elsewhere { type ipv4_addr; size 7; }
  chain elsewhere { }
}
table inet op25b {
  counter phase/flets-lines { packets 3 bytes 180; }
  counter phase/all { }
  set lines { type ipv4_addr; flags interval; size 33; }
  set refused6 { type ipv6_addr; flags dynamic,timeout; size 44; timeout 1h; }
  set bare { type ipv4_addr; }
  chain forward {
    comment "made from policy abc"
    type filter hook forward priority filter - 5; policy accept;
    tcp dport 25 goto g1_main
  }
  chain g1_main {
    ip saddr @lines counter packets PACKETS bytes BYTES accept comment "phase 網"
    ip6 saddr 2001:db8::/32 limit rate 5/second counter name "phase/all" drop
  }
}
"""


def load(nft, packets: int = 0, text: str = TABLE) -> None:
    nft("flush ruleset\n" + text.replace("PACKETS", str(packets)).replace("BYTES", str(60 * packets)))


def test_chains_with_and_without_a_hook(nft, link) -> None:
    load(nft)
    assert read_chains(link, "op25b") == [
        Chain("forward", Hook(2, -5), 1, "made from policy abc"),
        Chain("g1_main", None, None, ""),
    ]


def test_sets_with_their_declarations(nft, link) -> None:
    load(nft)
    bare, lines, refused = read_sets(link, "op25b")
    assert lines == SetInfo("lines", 7, 4, NFT_SET_INTERVAL, 33, lines.handle)
    assert (refused.name, refused.key_type, refused.key_length, refused.size) == ("refused6", 8, 16, 44)
    assert refused.flags & NFT_SET_TIMEOUT
    assert bare.size == 0
    assert read_set(link, "op25b", "lines") == lines


def test_named_counters(nft, link) -> None:
    load(nft)
    assert read_counters(link, "op25b") == {
        "phase/flets-lines": Counter(3, 180),
        "phase/all": Counter(0, 0),
    }


def test_rules_compare_equal_whatever_they_have_counted(nft, link) -> None:
    load(nft, packets=0)
    fresh = read_rules(link, "op25b", "g1_main")
    load(nft, packets=12345)
    used = read_rules(link, "op25b", "g1_main")
    assert [rule.expressions for rule in used] == [rule.expressions for rule in fresh]
    assert [rule.comment for rule in used] == ["phase 網", ""]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@lines", "!= @lines"),
        ("accept comment", "drop comment"),
        ("2001:db8::/32", "2001:db8::/33"),
        ("5/second", "6/second"),
        ('name "phase/all"', 'name "phase/flets-lines"'),
        ("counter packets PACKETS bytes BYTES ", ""),
    ],
)
def test_rules_that_say_something_else_differ(nft, link, old, new) -> None:
    load(nft)
    before = [rule.expressions for rule in read_rules(link, "op25b", "g1_main")]
    assert TABLE.count(old) == 1
    load(nft, text=TABLE.replace(old, new))
    after = [rule.expressions for rule in read_rules(link, "op25b", "g1_main")]
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_rules_come_in_order_with_their_handles(nft, link) -> None:
    load(nft)
    nft("insert rule inet op25b g1_main drop")
    handles = [rule.handle for rule in read_rules(link, "op25b", "g1_main")]
    assert handles[0] > handles[1] < handles[2]


def test_a_dormant_table_is_told_from_a_live_one(nft, link) -> None:
    nft("table inet op25b { chain c { type filter hook forward priority 0; }; }")
    assert read_table(link, "op25b") == Table("op25b", dormant=False)
    nft("add table inet op25b { flags dormant; }")
    assert read_table(link, "op25b") == Table("op25b", dormant=True)


def test_what_is_not_there_is_empty(nft, link) -> None:
    other_name = "table inet other { chain c { }; set s { type ipv4_addr; }; counter k { }; }"
    other_family = "table ip op25b { chain c { }; set s { type ipv4_addr; }; counter k { }; }"
    for prepare in ("", other_name, other_family):
        nft("flush ruleset\n" + prepare)
        assert read_table(link, "op25b") is None
        assert read_chains(link, "op25b") == []
        assert read_sets(link, "op25b") == []
        assert read_set(link, "op25b", "s") is None
        assert read_counters(link, "op25b") == {}
        assert read_rules(link, "op25b", "c") == []
    nft("table inet op25b { }")
    assert read_rules(link, "op25b", "c") == []
    assert read_set(link, "op25b", "s") is None
