"""The table in the kernel: which generation treats packets now, staging of the next one, and the switch.

A generation N is a set of chains and sets named `gN_...` to which nothing refers while they are filled. The base
chain holds nothing but a goto, so a switch is one small transaction, however large the sets are, and there is no
instant without a ruleset. An unconfirmed switch keeps the goto to the generation before behind one that holds only
as long as an element in the set `pending` lives: the kernel itself goes back when it expires.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from op25b.enforcement import inventory, nft, readback
from op25b.enforcement.elements import (
    NFTA_SET_ELEM_LIST_ELEMENTS,
    NFTA_SET_ELEM_LIST_SET,
    NFTA_SET_ELEM_LIST_TABLE,
    Addresses4,
    Addresses6,
    Elements,
    Intervals4,
    Intervals6,
    load,
)
from op25b.enforcement.netlink import Netlink, attribute, attributes, each_attribute, text
from op25b.ruleset.live import SEEN_SETS, TABLE, all_names, base_chain

if TYPE_CHECKING:  # the enforcer, which knows no policy, uses this too
    from op25b.ruleset.nftables import NftSet, Table

NAME = TABLE.split()[1]
FORWARD_HOOK = inventory.Hook(2, -5)
POLICY_ACCEPT = 1

_GENERATION = re.compile(r"g(\d+)_")
_TARGET = re.compile(rb"g(\d+)_main\0")
_PART_OF_RULE = re.compile(rb"__(?:set|map)\d+(?=\0)")
_LIVE = re.compile(rb"exempt4-32_(\d+)(?:_\d+)?\0")
_NFT_GOTO = -4
_NFT_SET_MAP = 0x8
_READINGS = 20

T = TypeVar("T")


@dataclass(frozen=True)
class InForce:
    """`current` treats packets now; `pending_ms`: so long until the kernel goes back to `fallback` by itself.

    None: no generation. `generations`: all of which something is in the kernel, also what an apply that was
    killed left behind.
    """

    current: int | None
    fallback: int | None
    pending_ms: int | None
    generations: frozenset[int]


def prefix(number: int) -> str:
    """What the names of a generation's chains and sets begin with."""
    return f"g{number}_"


def in_force(link: Netlink) -> InForce:
    """Read from the kernel alone, so that it is true whoever was killed."""
    table = inventory.read_table(link, NAME)
    names = [chain.name for chain in inventory.read_chains(link, NAME)]
    names += [each.name for each in inventory.read_sets(link, NAME)]
    there = frozenset(int(found[1]) for found in map(_GENERATION.match, names) if found)
    targets = [target for rule in inventory.read_rules(link, NAME, "forward") if (target := _target(rule))]
    if table is None or table.dormant or not targets:
        return InForce(None, None, None, there)
    number, pending = targets[0]
    after = targets[1][0] if len(targets) > 1 else None
    if not pending:
        return InForce(number, None, None, there)
    left = _pending_ms(link)
    return InForce(number, after, left, there) if left else InForce(after, None, None, there)


def _target(rule: inventory.Rule) -> tuple[int, bool] | None:
    found = _TARGET.search(rule.expressions)
    return (int(found[1]), b"pending\0" in rule.expressions) if found else None


def _pending_ms(link: Netlink) -> int:
    """Milliseconds until the shorter-lived of the two elements expires; 0 when it has, or was put in to stay."""
    members = readback.read_raw_members(link, NAME, "pending")
    return max(0, int(members.expires_ms.min())) if members is not None and len(members.expires_ms) == 2 else 0


def exempt_size(link: Netlink, number: int) -> int:
    """The size of the live sets that a generation refers to; 0 when it does to none."""
    rules = inventory.read_rules(link, NAME, f"{prefix(number)}allowed")
    found = next((found for rule in rules if (found := _LIVE.search(rule.expressions))), None)
    return int(found[1]) if found else 0


def steady(link: Netlink, read: Callable[[], T]) -> T:
    """What `read` finds while nobody changes the ruleset, or twice running while the enforcer changes live sets.

    If neither comes about, what it found last.
    """
    earlier: T | None = None
    for _ in range(_READINGS):
        before = inventory.ruleset_id(link)
        found = read()
        if inventory.ruleset_id(link) == before or found == earlier:
            break
        earlier = found
    return found


def goto(chain: str) -> bytes:
    """The kernel's own bytes for a rule that is nothing but `goto chain` (NFTA_RULE_EXPRESSIONS)."""
    # nf_tables dumps its nests without NLA_F_NESTED
    verdict = attribute(2, attribute(1, struct.pack(">i", _NFT_GOTO)) + text(2, chain))
    data = attribute(1, struct.pack(">I", 0)) + attribute(2, verdict)
    return attribute(1, text(1, "immediate") + attribute(2, data))


def elements(declared: NftSet) -> Elements:
    """The members of a set of the dialect as arrays."""
    firsts = [first for first, _ in declared.members]
    if declared.hosts:
        return Addresses4.of(firsts) if declared.version == 4 else Addresses6.of(firsts)
    return Intervals4.of(declared.members) if declared.version == 4 else Intervals6.of(declared.members)


def stage(link: Netlink, written: Table) -> None:
    """Put a generation's chains and sets beside what is in force; nothing refers to them yet."""
    nft.run("\n".join([f"table {TABLE} {{", *written.declarations(), *written.body(), "}"]))
    load(link, NAME, [(each.name, elements(each)) for each in written.sets])


def fingerprints(link: Netlink, number: int) -> dict[str, str]:
    """SHA-256 over the kernel's bytes for the rules of each chain of a generation."""
    chains = [each.name for each in inventory.read_chains(link, NAME) if each.name.startswith(prefix(number))]
    return {name: hashlib.sha256(_rule_bytes(link, name)).hexdigest() for name in chains}


def _rule_bytes(link: Netlink, chain: str) -> bytes:
    """A chain's rules; a set that is part of one is there by its name only, so its elements are added."""
    rules = b"".join(rule.expressions for rule in inventory.read_rules(link, NAME, chain))
    return rules + b"".join(_element_bytes(link, name.decode()) for name in _PART_OF_RULE.findall(rules))


def _element_bytes(link: Netlink, name: str) -> bytes:
    """All that the kernel says of each element, what it maps to included, in an order that does not depend on it."""
    asked = text(NFTA_SET_ELEM_LIST_TABLE, NAME) + text(NFTA_SET_ELEM_LIST_SET, name)
    answers = link.dump(readback.NFT_MSG_GETSETELEM, asked, f"reading set {name}")
    lists = (attributes(answer).get(NFTA_SET_ELEM_LIST_ELEMENTS, b"") for answer in answers)
    return b"".join(sorted(element for listed in lists for _, element in each_attribute(listed)))


def switch(link: Netlink, number: int, fallback: int | None = None, seconds: int | None = None) -> None:
    """Let generation `number` treat packets, in one transaction; with `seconds`, only so long unless confirmed."""
    there = {each.name for each in inventory.read_sets(link, NAME)}
    base = next((each for each in inventory.read_chains(link, NAME) if each.name == "forward"), None)
    script = []
    if base is not None and (base.hook, base.policy) != (FORWARD_HOOK, POLICY_ACCEPT):
        script = [f"flush chain {TABLE} forward", f"delete chain {TABLE} forward"]
    script += [f"table {TABLE} {{", *base_chain([]), "}"]
    script.append(f"flush chain {TABLE} forward")
    if "pending" in there:
        script.append(f"delete set {TABLE} pending")
    if seconds is not None:
        members = ", ".join(f"{family} timeout {seconds}s" for family in ("ipv4", "ipv6"))
        script.append(
            f"add set {TABLE} pending {{ type nf_proto; flags timeout; size 2; elements = {{ {members} }}; }}"
        )
        script.append(f"add rule {TABLE} forward meta nfproto @pending goto {prefix(number)}main")
        if fallback is not None:
            script.append(f"add rule {TABLE} forward goto {prefix(fallback)}main")
    else:
        script.append(f"add rule {TABLE} forward goto {prefix(number)}main")
    nft.run("\n".join(script))


def clean(link: Netlink, keep: Iterable[int]) -> None:
    """Empty the table of all but the generations to keep and what outlives them, whoever put it there."""
    kept = ("__", *map(prefix, keep))  # __: the kernel's own names for sets that are part of a rule
    keep = {*keep}
    live = (name for number in keep for name in all_names(exempt_size(link, number)))
    lasting = {"forward", "pending", *SEEN_SETS, *live}
    chains = [each.name for each in inventory.read_chains(link, NAME) if each.name not in lasting]
    chains = [name for name in chains if not name.startswith(kept)]
    sets = [each for each in inventory.read_sets(link, NAME) if each.name not in lasting]
    maps = [each.name for each in sets if each.flags & _NFT_SET_MAP and not each.name.startswith(kept)]
    plain = [each.name for each in sets if each.name not in maps and not each.name.startswith(kept)]
    script = [
        *(f"flush chain {TABLE} {name}" for name in chains),
        *(f"delete map {TABLE} {name}" for name in maps),
        *(f"delete chain {TABLE} {name}" for name in chains),
        *(f"delete set {TABLE} {name}" for name in plain),
    ]
    if script:
        nft.run("\n".join(script))


def withdraw() -> None:
    """Take the whole table out: nothing is filtered any more."""
    nft.run(f"table {TABLE} {{ }}\ndelete table {TABLE}\n")
