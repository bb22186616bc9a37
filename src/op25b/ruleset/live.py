"""What outlives the generations of a ruleset: sets of sources that were seen trying, and the live sets.

A live set holds exemptions that come and go without an apply, as the store says (docs/decisions/0009). The prefixes
of subscribers have few lengths, so each length has a hash of its own, in which a packet's masked address is looked up;
prefixes of other lengths and exempt destinations are few, and are intervals. The size is part of a set's name: another
size is another set, and none has to be changed in place.

Imports next to nothing, since the process that holds the privilege imports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from op25b.policy.intervals import TOP, Version, address

TABLE = "inet op25b"
SEEN = 65536
"""Sources remembered in each of the sets of refused and monitored attempts."""
SEEN_FOR = "1d"
SEEN_SETS: dict[str, Version] = {"refused4": 4, "refused6": 6, "monitored4": 4, "monitored6": 6}
COUNTER = "exemptions/live"

SHARD = 131072
"""Members at most that one hash is meant for: the kernel takes a time that grows with the square to list them."""
INTERVALS = 65536
"""Intervals at most in one set: the kernel takes a time that grows with their number to add one."""
LENGTHS: dict[Version, tuple[int, ...]] = {4: (32,), 6: (128, 64, 60, 56, 52, 48)}
"""Prefix lengths that have a hash of their own: what access networks give to subscribers (RFC 6177, RIPE-690)."""

_IP = {4: "ip", 6: "ip6"}
_NAME = re.compile(r"(exempt(?:-to)?[46](?:-[a-z0-9]+)?)_(\d+)(?:_(\d+))?")


class SetKind(NamedTuple):
    """A kind of live set. `length`: of all its prefixes, None for any other (intervals)."""

    version: Version
    length: int | None
    destination: bool = False

    @property
    def name(self) -> str:
        """What the names of its sets begin with."""
        if self.destination:
            return f"exempt-to{self.version}"
        return f"exempt{self.version}-{self.length or 'other'}"

    @classmethod
    def of(cls, version: Version, length: int, destination: bool = False) -> SetKind:
        """The kind that holds a prefix of this length."""
        return cls(version, length if length in LENGTHS[version] and not destination else None, destination)


KINDS: tuple[SetKind, ...] = (
    *(SetKind(version, length) for version, lengths in LENGTHS.items() for length in (*lengths, None)),
    SetKind(4, None, True),
    SetKind(6, None, True),
)
"""All kinds, in the order in which they are looked up."""
_BY_NAME = {kind.name: kind for kind in KINDS}


def shards(kind: SetKind, size: int) -> int:
    """How many sets hold `size` members of this kind."""
    return 1 if kind.length is None else -(-size // SHARD)


def capacity(kind: SetKind, size: int) -> int:
    """Members that one of its sets has room for: of several, more than a share, as no hash spreads evenly."""
    if kind.length is None:
        return min(size, INTERVALS)
    count = shards(kind, size)
    return size if count == 1 else SHARD + SHARD // 16


def declared_size(kind: SetKind, size: int) -> int:
    """As the kernel is told: it counts an interval's start and end apart."""
    room = capacity(kind, size)
    return room if kind.length is not None else 2 * room + 2


def names(kind: SetKind, size: int) -> tuple[str, ...]:
    """Of the sets that hold the members of this kind, for a declared size; none for size 0."""
    if not size:
        return ()
    count = shards(kind, size)
    first = f"{kind.name}_{size}"
    return (first,) if count == 1 else tuple(f"{first}_{number}" for number in range(count))


def parse(name: str) -> tuple[SetKind, int, int] | None:
    """(kind, size, shard) of a set's name; None for what is no live set."""
    found = _NAME.fullmatch(name)
    if found is None or found[1] not in _BY_NAME:
        return None
    return _BY_NAME[found[1]], int(found[2]), int(found[3] or 0)


def all_names(size: int) -> tuple[str, ...]:
    """Of the sets of all kinds; none for size 0."""
    return tuple(name for kind in KINDS for name in names(kind, size))


def declarations(size: int) -> list[str]:
    """The sets that outlive generations, as nft reads them; no live ones for size 0."""
    return [
        *(_seen(name, version) for name, version in SEEN_SETS.items()),
        *(_set(kind, size, name) for kind in KINDS for name in names(kind, size)),
    ]


def _seen(name: str, version: Version) -> str:
    return f"set {name} {{ type ipv{version}_addr; size {SEEN}; flags dynamic,timeout; counter; timeout {SEEN_FOR}; }}"


def _set(kind: SetKind, size: int, name: str) -> str:
    flags = "flags interval; " if kind.length is None else ""
    return f"set {name} {{ type ipv{kind.version}_addr; {flags}size {declared_size(kind, size)}; }}"


def rules(size: int) -> list[str]:
    """Rules that accept what is in a live set; none for size 0."""
    return [f"{_test(kind)} @{name} counter name {COUNTER} accept" for kind in KINDS for name in names(kind, size)]


def _test(kind: SetKind) -> str:
    test = f"{_IP[kind.version]} {'daddr' if kind.destination else 'saddr'}"
    top = TOP[kind.version]
    if kind.length is None or not top >> kind.length:
        return test
    return f"{test} & {address(kind.version, top ^ (top >> kind.length))}"


def base_chain(rules: Iterable[str]) -> list[str]:
    """The only chain that the kernel calls: on the way through the router, before filters of priority 0."""
    hook = "type filter hook forward priority filter - 5; policy accept;"
    return ["chain forward {", *(f"\t{line}" for line in (hook, *rules)), "}"]
