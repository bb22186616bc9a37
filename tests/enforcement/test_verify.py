"""Whatever someone does to the table, verify names it and apply mends it; tables of others are left as they are."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from op25b.enforcement import inventory, kernel
from op25b.enforcement.netlink import Netlink
from tests.support.enforced import NOW, Edge, hosts, policy, ranges
from tests.support.traffic import Traffic

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("others")]
Nft = Callable[..., str]
TEXT = policy("acd", "d", tuple(hosts(40)))
OTHER = policy("c")
HASHED = policy("acd", "d", tuple(ranges(5_000)))


@dataclass(frozen=True)
class Harm:
    """Done to the table by someone else: nft commands, where `{g}` begins the names of what is in force."""

    script: str
    told: tuple[str, ...]


T = "inet op25b"
BASE = f"flush chain {T} forward; delete chain {T} forward"
GOTO = f"add rule {T} forward goto {{g}}main"
HARMS = {
    "table deleted": Harm(f"delete table {T}", ("table: nothing is in force",)),
    "table dormant": Harm(f"add table {T} {{ flags dormant; }}", ("table: nothing is in force",)),
    "base chain deleted": Harm(BASE, ("table: nothing is in force",)),
    "base chain empty": Harm(f"flush chain {T} forward", ("table: nothing is in force",)),
    "base chain of another hook": Harm(
        BASE + f"; add chain {T} forward {{ type filter hook input priority -5; }}; " + GOTO,
        ("chain forward: is not hooked in where it should be",),
    ),
    "base chain of another priority": Harm(
        BASE + f"; add chain {T} forward {{ type filter hook forward priority 10; }}; " + GOTO,
        ("chain forward: is not hooked in where it should be",),
    ),
    "base chain without a hook": Harm(
        BASE + f"; add chain {T} forward; " + GOTO, ("chain forward: is not hooked in where it should be",)
    ),
    "policy drop": Harm(
        f"chain {T} forward {{ policy drop; }}", ("chain forward: is not hooked in where it should be",)
    ),
    "rule before the goto": Harm(
        f"insert rule {T} forward ip saddr 198.18.1.9 accept",
        ("chain forward: holds other rules than the goto to the generation in force",),
    ),
    "goto with a condition": Harm(
        f"flush chain {T} forward; add rule {T} forward ip saddr 198.18.1.9 goto {{g}}main",
        ("chain forward: holds other rules than the goto to the generation in force",),
    ),
    "rule after the goto": Harm(
        f"add rule {T} forward accept", ("chain forward: holds other rules than the goto to the generation in force",)
    ),
    "rule added": Harm(
        f"insert rule {T} {{g}}sources ip saddr 198.18.1.9 accept",
        ("chain {g}sources: holds other rules than were applied",),
    ),
    "rules deleted": Harm(f"flush chain {T} {{g}}allowed", ("chain {g}allowed: holds other rules than were applied",)),
    "element deleted": Harm(
        f"delete element {T} {{g}}phase/block_v4 {{ 198.18.1.0/24 }}",
        ("set {g}phase/block_v4: 1 members missing, 0 too many; missing: 198.18.1.0/24",),
    ),
    "element added": Harm(
        f"add element {T} {{g}}exemptions/by-source_v6 {{ 2001:db8:1:1::/64 }}",
        ("set {g}exemptions/by-source_v6: 0 members missing, 1 too many; extra: 2001:db8:1:1::/64",),
    ),
    "element replaced, so that the count is right": Harm(
        f"delete element {T} {{g}}phase/block_hosts4 {{ 100.64.0.2 }}; "
        f"add element {T} {{g}}phase/block_hosts4 {{ 100.64.0.3 }}",
        ("set {g}phase/block_hosts4: 1 members missing, 1 too many; missing: 100.64.0.2/32; extra: 100.64.0.3/32",),
    ),
    "interval widened": Harm(
        f"delete element {T} {{g}}phase/block_v4 {{ 198.18.1.0/24 }}; "
        f"add element {T} {{g}}phase/block_v4 {{ 198.18.0.0/23 }}",
        ("set {g}phase/block_v4: 1 members missing, 1 too many; missing: 198.18.1.0/24; extra: 198.18.0.0/23",),
    ),
    "everything added": Harm(
        f"add element {T} {{g}}phase/block_hosts4 {{ * }}",
        ("set {g}phase/block_hosts4: holds `*`, which matches every address",),
    ),
    "set emptied": Harm(
        f"flush set {T} {{g}}phase/block_v6",
        (
            "set {g}phase/block_v6: 2 members missing, 0 too many; "
            "missing: 2001:db8:1::/48, 2001:db8:3::/48, 2001:db8:4::/48",
        ),
    ),
    "set deleted with the rules that use it": Harm(
        f"flush chain {T} {{g}}allowed; delete set {T} {{g}}exemptions/by-source_v6",
        (
            "chain {g}allowed: holds other rules than were applied",
            "set {g}exemptions/by-source_v6: is not there, with 1 members",
        ),
    ),
    "set of another type": Harm(
        f"flush chain {T} {{g}}allowed; delete set {T} {{g}}exemptions/by-source_v6; "
        f"add set {T} {{g}}exemptions/by-source_v6 {{ type inet_service; }}",
        (
            "chain {g}allowed: holds other rules than were applied",
            "set {g}exemptions/by-source_v6: set {g}exemptions/by-source_v6 does not hold addresses",
        ),
    ),
    "counter deleted with the rules that use it": Harm(
        f"flush chain {T} {{g}}allowed; delete counter {T} exemptions/by-source",
        (
            "chain {g}allowed: holds other rules than were applied",
            "counter exemptions/by-source: is not there",
        ),
    ),
    "chain added": Harm(f"add chain {T} mine; add rule {T} mine drop", ("chain mine: was added by someone else",)),
    "chain with a hook added": Harm(
        f"add chain {T} mine {{ type filter hook forward priority -9; }}; add rule {T} mine accept",
        ("chain mine: was added by someone else",),
    ),
    "chain added under a name like ours": Harm(
        f"add chain {T} {{g}}mine", ("chain {g}mine: was added by someone else",)
    ),
    "set added": Harm(
        f"add set {T} mine {{ type ipv4_addr; }}; add element {T} mine {{ 192.0.2.1 }}",
        ("set mine: was added by someone else",),
    ),
    "map added": Harm(
        f"add chain {T} mine; add map {T} ours {{ type ipv4_addr : verdict; }}; "
        f"add element {T} ours {{ 192.0.2.1 : goto mine }}",
        ("chain mine: was added by someone else", "set ours: was added by someone else"),
    ),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_harm_is_named_and_mended(edge: Edge, nft: Nft, harm: Harm) -> None:
    edge.apply(TEXT)
    assert edge.verify(TEXT) == []
    name = edge.name("")
    for command in re.split("; (?=add|delete|flush)", harm.script):
        nft(command.replace("{g}", name))
    assert [each.describe() for each in edge.verify(TEXT)] == [told.replace("{g}", name) for told in harm.told]
    with Traffic() as traffic:
        assert edge.apply(TEXT).switched
        assert edge.verify(TEXT) == []
        assert traffic.passing() == "bd"
    state = edge.state
    assert state == kernel.InForce(state.current, None, None, frozenset({state.current}))
    assert not [each.name for each in inventory.read_chains(edge.link, kernel.NAME) if "mine" in each.name]


def rule_of(nft: Nft, chain: str, what: str) -> str:
    """Chain and handle of the rule that says `what`."""
    (line,) = (line for line in nft(f"list chain {T} {chain}", "-a").splitlines() if what in line)
    return f"{chain} handle {line.rsplit(' ', 1)[1]}"


def test_rule_changed(edge: Edge, nft: Nft) -> None:
    edge.apply(TEXT)
    chain = edge.name("phase/block")
    counters = 'counter name "phase/block"'
    nft(f"replace rule {T} {rule_of(nft, chain, counters)} {counters} accept")
    assert [each.describe() for each in edge.verify(TEXT)] == [f"chain {chain}: holds other rules than were applied"]
    edge.apply(TEXT)
    assert edge.verify(TEXT) == []


def test_set_that_is_part_of_a_rule_changed(edge: Edge, nft: Nft) -> None:
    """The new rule's set gets the name that the old one's had, so that the rules are alike byte by byte."""
    edge.apply(TEXT)
    chain = edge.name("main")
    before = [rule.expressions for rule in inventory.read_rules(edge.link, kernel.NAME, chain)]
    nft(f"delete rule {T} {rule_of(nft, chain, 'meta l4proto {')}")
    before_it = rule_of(nft, chain, "tcp dport 25 goto")
    nft(f"add rule {T} {before_it} meta l4proto {{ 4, 41, 50 }} goto {edge.name('sources')}")
    assert [rule.expressions for rule in inventory.read_rules(edge.link, kernel.NAME, chain)] == before
    assert [each.describe() for each in edge.verify(TEXT)] == [f"chain {chain}: holds other rules than were applied"]
    edge.apply(TEXT)
    assert edge.verify(TEXT) == []


def test_prefixes_that_are_hashed_by_length(edge: Edge, nft: Nft) -> None:
    edge.apply(HASHED)
    assert edge.verify(HASHED) == []
    name = edge.name("phase/block_v4_31")
    nft(f"delete element {T} {name} {{ 198.19.70.0 }}")
    nft(f"add element {T} {name} {{ 198.19.70.2 }}")
    (told,) = edge.verify(HASHED)
    assert (told.object, told.what) == (f"set {name}", "1 members missing, 1 too many")
    edge.apply(HASHED)
    assert edge.verify(HASHED) == []
    assert edge.state.generations == {edge.state.current}


def test_a_set_that_is_used_cannot_be_deleted(edge: Edge, nft: Nft) -> None:
    edge.apply(TEXT)
    with pytest.raises(Exception, match="nft"):
        nft(f"delete set {T} {edge.name('phase/block_v4')}")
    assert edge.verify(TEXT) == []


def test_many_members_are_counted_and_some_named(edge: Edge, nft: Nft) -> None:
    edge.apply(TEXT)
    nft(f"flush set {T} {edge.name('phase/block_hosts4')}")
    (found,) = edge.verify(TEXT)
    assert found.what == "40 members missing, 0 too many"
    assert len(found.missing) == 10


def test_harm_while_an_apply_waits(edge: Edge, nft: Nft) -> None:
    edge.apply(OTHER)
    edge.apply(TEXT, seconds=60)
    assert edge.verify(TEXT) == []
    nft(f"insert rule {T} forward accept")
    assert [each.object for each in edge.verify(TEXT)] == ["chain forward"]
    edge.confirm()
    assert edge.verify(TEXT) == []


def test_a_phase_that_begins_or_ends_is_named(edge: Edge) -> None:
    text = policy("acd", phase="from = 2025-06-10T00:00:00+09:00\nuntil = 2025-06-20T00:00:00+09:00")
    edge.apply(text)
    assert edge.verify(text) == []
    begun, ended = NOW + timedelta(days=10), NOW + timedelta(days=30)
    (told,) = [each.describe() for each in edge.verify(text, begun)]
    assert told.startswith("policy: phase/block: new, refuse; +198.18.1.0/24, ")
    edge.apply(text, at=begun)
    assert edge.verify(text, begun) == []
    (told,) = [each.describe() for each in edge.verify(text, ended)]
    assert told.startswith("policy: phase/block: goes away (was refuse); -198.18.1.0/24, ")
    edge.apply(text, at=ended)
    assert edge.verify(text, ended) == []


def test_no_false_alarm_while_an_apply_is_at_work(edge: Edge, netns: None) -> None:
    """What verify reads is of one moment, although it asks the kernel many times."""
    edge.apply(TEXT)
    done = threading.Event()
    found = []

    def look() -> None:
        with Netlink() as link:
            watching = Edge(link, edge.records)
            while not done.is_set():
                found.extend(watching.plan(TEXT).drift)

    # a thread is in the namespace of the one that starts it
    watcher = threading.Thread(target=look)
    watcher.start()
    for number in range(12):
        edge.apply(TEXT if number % 2 else OTHER, seconds=60)
        edge.confirm()
    done.set()
    watcher.join()
    assert found == []
