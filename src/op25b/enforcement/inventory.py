"""What one table of family inet consists of: its chains, rules, sets and named counters.

Anything that does not exist gives None or an empty list. All of it is read through the same dump that the
`nft list` commands use; rules keep the kernel's own bytes, so that a verifier can compare them exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from op25b.enforcement.netlink import (
    NFTA_GEN_ID,
    Netlink,
    attribute,
    attributes,
    each_attribute,
    text,
)

NFT_MSG_NEWTABLE, NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE = 0, 1, 4, 7
NFT_MSG_GETSET, NFT_MSG_GETOBJ = 10, 19
NFTA_TABLE_NAME, NFTA_TABLE_FLAGS = 1, 2
NFT_TABLE_F_DORMANT = 0x1
NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_USERDATA = 1, 3, 4, 5, 12
NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY = 1, 2
NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_HANDLE, NFTA_RULE_EXPRESSIONS, NFTA_RULE_USERDATA = 1, 2, 3, 4, 7
NFTA_SET_TABLE, NFTA_SET_NAME, NFTA_SET_FLAGS, NFTA_SET_DESC, NFTA_SET_HANDLE = 1, 2, 3, 9, 16
NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN = 4, 5
NFTA_SET_DESC_SIZE = 1
NFT_SET_INTERVAL, NFT_SET_TIMEOUT = 0x4, 0x10
NFTA_OBJ_TABLE, NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_OBJ_DATA = 1, 2, 3, 4
NFT_OBJECT_COUNTER = 1
NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS = 1, 2
NFTA_EXPR_NAME, NFTA_EXPR_DATA = 1, 2
NFT_MSG_GETGEN = 16
UDATA_COMMENT = 0  # nft's own first type in the user data of rules and chains alike


class Table(NamedTuple):
    """dormant: the table is there, but its chains are not hooked in."""

    name: str
    dormant: bool


class Hook(NamedTuple):
    """Where a base chain is hooked in: number as in linux/netfilter.h (2 is forward), and priority."""

    number: int
    priority: int


class Chain(NamedTuple):
    """hook and policy (0 drop, 1 accept) are None for a chain that is not a base chain."""

    name: str
    hook: Hook | None
    policy: int | None
    comment: str


class SetInfo(NamedTuple):
    """key_type: nft's number of the type; key_length in octets; flags: NFT_SET_*; size: 0 if not declared.

    handle: another one when a set of the same name is made anew.
    """

    name: str
    key_type: int
    key_length: int
    flags: int
    size: int
    handle: int


class Counter(NamedTuple):
    """A named counter."""

    packets: int
    octets: int


@dataclass(frozen=True)
class Rule:
    """expressions: the content of NFTA_RULE_EXPRESSIONS, with anonymous counters set to zero."""

    handle: int
    expressions: bytes
    comment: str


def ruleset_id(link: Netlink) -> int:
    """Another one after each change to the namespace's ruleset, whoever makes it; never 0."""
    answer = link.get(NFT_MSG_GETGEN, b"", "reading the ruleset's generation")
    return _number(attributes(answer or b"").get(NFTA_GEN_ID, b""))


def read_table(link: Netlink, table: str) -> Table | None:
    """The table itself; None where there is none of that name."""
    found = link.get(NFT_MSG_GETTABLE, text(NFTA_TABLE_NAME, table), f"reading table {table}")
    if found is None:
        return None
    return Table(table, bool(_number(attributes(found).get(NFTA_TABLE_FLAGS, b"")) & NFT_TABLE_F_DORMANT))


def read_chains(link: Netlink, table: str) -> list[Chain]:
    """The chains of a table, sorted by name."""
    dumped = link.dump(NFT_MSG_GETCHAIN, b"", f"reading the chains of table {table}")
    found = [attributes(one) for one in dumped]
    return sorted(_chain(one) for one in found if _string(one[NFTA_CHAIN_TABLE]) == table)


def read_rules(link: Netlink, table: str, chain: str) -> list[Rule]:
    """The rules of a chain, in order."""
    names = text(NFTA_RULE_TABLE, table) + text(NFTA_RULE_CHAIN, chain)
    rules = []
    for one in map(attributes, link.dump(NFT_MSG_GETRULE, names, f"reading chain {chain}")):
        expressions = _without_counts(one.get(NFTA_RULE_EXPRESSIONS, b""))
        comment = _comment(one.get(NFTA_RULE_USERDATA, b""))
        rules.append(Rule(_number(one[NFTA_RULE_HANDLE]), expressions, comment))
    return rules


def read_sets(link: Netlink, table: str) -> list[SetInfo]:
    """The sets and maps of a table, sorted by name."""
    dumped = link.dump(NFT_MSG_GETSET, text(NFTA_SET_TABLE, table), f"reading the sets of table {table}")
    return sorted(_set_info(attributes(one)) for one in dumped)


def read_set(link: Netlink, table: str, name: str) -> SetInfo | None:
    """One set's declaration; None where there is no such set."""
    asked = text(NFTA_SET_TABLE, table) + text(NFTA_SET_NAME, name)
    found = link.get(NFT_MSG_GETSET, asked, f"reading set {name}")
    return None if found is None else _set_info(attributes(found))


def read_counters(link: Netlink, table: str) -> dict[str, Counter]:
    """The named counters of a table."""
    asked = text(NFTA_OBJ_TABLE, table) + attribute(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER.to_bytes(4, "big"))
    counters = {}
    for one in map(attributes, link.dump(NFT_MSG_GETOBJ, asked, f"reading the counters of table {table}")):
        data = attributes(one[NFTA_OBJ_DATA])
        counts = Counter(_number(data[NFTA_COUNTER_PACKETS]), _number(data[NFTA_COUNTER_BYTES]))
        counters[_string(one[NFTA_OBJ_NAME])] = counts
    return counters


def _chain(found: dict[int, bytes]) -> Chain:
    hook = None
    if NFTA_CHAIN_HOOK in found:
        place = attributes(found[NFTA_CHAIN_HOOK])
        priority = int.from_bytes(place[NFTA_HOOK_PRIORITY], "big", signed=True)
        hook = Hook(_number(place[NFTA_HOOK_HOOKNUM]), priority)
    policy = _number(found[NFTA_CHAIN_POLICY]) if NFTA_CHAIN_POLICY in found else None
    return Chain(_string(found[NFTA_CHAIN_NAME]), hook, policy, _comment(found.get(NFTA_CHAIN_USERDATA, b"")))


def _set_info(found: dict[int, bytes]) -> SetInfo:
    return SetInfo(
        _string(found[NFTA_SET_NAME]),
        _number(found.get(NFTA_SET_KEY_TYPE, b"")),
        _number(found[NFTA_SET_KEY_LEN]),
        _number(found.get(NFTA_SET_FLAGS, b"")),
        _number(attributes(found.get(NFTA_SET_DESC, b"")).get(NFTA_SET_DESC_SIZE, b"")),
        _number(found.get(NFTA_SET_HANDLE, b"")),
    )


def _without_counts(expressions: bytes) -> bytes:
    """A counter without a name carries its counts in the rule: they are no part of what the rule says."""
    kept = bytearray(expressions)
    at = 0
    for _, expression in each_attribute(expressions):
        size = 4 + len(expression)
        parts = attributes(expression)
        if parts.get(NFTA_EXPR_NAME) == b"counter\0":
            data = parts[NFTA_EXPR_DATA]
            start = at + size - len(data)
            kept[start : start + len(data)] = _zeroed(data)
        at += size + -size % 4
    return bytes(kept)


def _zeroed(data: bytes) -> bytes:
    return b"".join(attribute(kind, bytes(len(value))) for kind, value in each_attribute(data))


def _comment(userdata: bytes) -> str:
    for kind, value in _userdata(userdata):
        if kind == UDATA_COMMENT:
            return _string(value)
    return ""


def _userdata(data: bytes) -> Iterator[tuple[int, bytes]]:
    """nft's own attributes: type and length of one octet each, no padding."""
    at = 0
    while at + 2 <= len(data):
        kind, length = data[at], data[at + 1]
        yield kind, data[at + 2 : at + 2 + length]
        at += 2 + length


def _string(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")
