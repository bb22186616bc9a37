"""Is what is in the kernel what was applied? Member by member and byte by byte, both ways; counts prove nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from op25b.enforcement import inventory, kernel, live, readback
from op25b.enforcement.elements import Elements
from op25b.enforcement.generations import Generation
from op25b.enforcement.live_members import Repair, read, repairs, rows_of
from op25b.enforcement.members import Members, count, normal
from op25b.enforcement.netlink import Netlink
from op25b.enforcement.prefix_texts import texts
from op25b.policy.intervals import prefixes
from op25b.ruleset.live import SEEN_SETS, all_names
from op25b.ruleset.nftables import NftSet, Table, table
from op25b.ruleset.rules import Ruleset

SHOWN = 10
"""Members of a set that a difference names; the rest is counted."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be. `object`: the table, a chain, a set, a counter, or the policy."""

    object: str
    what: str
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def describe(self) -> str:
        lists = [(word, members) for word, members in (("missing", self.missing), ("extra", self.extra)) if members]
        return f"{self.object}: {self.what}" + "".join(f"; {word}: {', '.join(names)}" for word, names in lists)


def drift(link: Netlink, state: kernel.InForce, record: Generation, applied: Ruleset) -> list[Difference]:
    """Differences between the kernel and the ruleset that was applied as the generation that is in force."""
    written = table(applied, kernel.prefix(record.number))
    return [
        *_base(link, state, written),
        *_chains(link, state, record, written),
        *_sets(link, state, written),
        *_counters(link, written),
    ]


def _base(link: Netlink, state: kernel.InForce, written: Table) -> Iterator[Difference]:
    """The chain that the kernel calls, and its gotos."""
    base = next((each for each in inventory.read_chains(link, kernel.NAME) if each.name == "forward"), None)
    if base is None or base.hook != kernel.FORWARD_HOOK or base.policy != kernel.POLICY_ACCEPT:
        yield Difference("chain forward", "is not hooked in where it should be")
    rules = [rule.expressions for rule in inventory.read_rules(link, kernel.NAME, "forward")]
    last = f"{kernel.prefix(state.fallback)}main" if state.fallback is not None else written.main
    if state.pending_ms is not None:
        # the first one tests `pending`; `in_force` has read it, and it must end in the goto to this generation
        good = bool(rules) and rules[0].endswith(kernel.goto(written.main))
        rules = rules[1:]
        expected = [kernel.goto(last)] if state.fallback is not None else []
        if state.fallback is None and len(state.generations) > 1:
            yield Difference(
                "chain forward", "has lost the goto to the generation that an unconfirmed apply falls back to"
            )
    else:
        good, expected = True, [kernel.goto(written.main)]
        if rules and b"pending\0" in rules[0]:
            rules = rules[1:]  # an apply that was not confirmed in time: the kernel passes over it
            members = readback.read_raw_members(link, kernel.NAME, "pending")
            if members is not None and len(members.keys):
                yield Difference("set pending", "has members although no apply waits to be confirmed")
    if not good or rules != expected:
        yield Difference("chain forward", "holds other rules than the goto to the generation in force")


def _chains(link: Netlink, state: kernel.InForce, record: Generation, written: Table) -> Iterator[Difference]:
    found = kernel.fingerprints(link, record.number)
    for name in written.chains:
        if name not in found:
            yield Difference(f"chain {name}", "is not there")
        elif found[name] != record.chains.get(name):
            yield Difference(f"chain {name}", "holds other rules than were applied")
    known = {*written.chains, "forward"}
    for chain in inventory.read_chains(link, kernel.NAME):
        if chain.name not in known and not _of_another(chain.name, state, record.number):
            yield Difference(f"chain {chain.name}", "was added by someone else")


def _of_another(name: str, state: kernel.InForce, number: int) -> bool:
    """Whether a name belongs to another generation: the fallback, or what a killed apply left."""
    return any(name.startswith(kernel.prefix(other)) for other in state.generations if other != number)


def _sets(link: Netlink, state: kernel.InForce, written: Table) -> Iterator[Difference]:
    declarations = {each.name: each for each in inventory.read_sets(link, kernel.NAME)}
    there = {*declarations}
    for declared in written.sets:
        yield from _set(link, declared, there)
    for name in sorted(set(SEEN_SETS) - there):
        yield Difference(f"set {name}", "is not there")
    for name, what in live.faults(declarations, written.exempt_size):
        yield Difference(f"set {name}", what)
    sizes = {written.exempt_size, *(kernel.exempt_size(link, other) for other in state.generations)}
    known = {each.name for each in written.sets} | {"pending", *SEEN_SETS}
    known.update(name for size in sizes for name in all_names(size))
    number = int(written.main[1:].split("_")[0])
    for name in sorted(there - known):
        # __set: the kernel's name for a set that is part of a rule
        if not name.startswith(("__set", "__map")) and not _of_another(name, state, number):
            yield Difference(f"set {name}", "was added by someone else")


def _set(link: Netlink, declared: NftSet, there: set[str]) -> Iterator[Difference]:
    what = f"set {declared.name}"
    if declared.name not in there:
        yield Difference(what, f"is not there, with {len(declared.members)} members")
        return
    expected = kernel.elements(declared)
    try:
        actual = readback.read_members(link, kernel.NAME, declared.name)
    except ValueError as error:
        yield Difference(what, str(error))
        return
    if actual is None or type(actual.elements) is not type(expected):
        yield Difference(what, "is of another type than was applied")
        return
    if actual.catchall:
        yield Difference(what, "holds `*`, which matches every address")
    missing, extra = readback.members_difference(expected, actual.elements)
    if len(missing) or len(extra):
        counts = f"{len(missing)} members missing, {len(extra)} too many"
        yield Difference(what, counts, _shown(declared, missing), _shown(declared, extra))


def _shown(declared: NftSet, members: Elements) -> tuple[str, ...]:
    pairs = members.take(slice(0, SHOWN)).pairs()
    return tuple(str(prefix) for pair in pairs for prefix in prefixes(declared.version, (pair,)))


def live_difference(link: Netlink, wanted: Members) -> list[Difference]:
    """How what the live sets hold differs from `wanted`, member by member, both ways."""
    sizes = live.Found.of(link).sizes
    if not sizes and count(wanted):
        return [Difference("live sets", f"are not there, with {count(wanted)} members")]
    return [_repaired(repair) for size in sizes for repair in repairs(link, size, normal(wanted))]


def live_members(link: Netlink) -> int | None:
    """How many prefixes the live sets hold; None where there are none."""
    sizes = live.Found.of(link).sizes
    return count(read(link, sizes[-1])) if sizes else None


def _repaired(repair: Repair) -> Difference:
    what = f"{len(repair.missing)} members missing, {len(repair.extra)} too many"
    missing, extra = (
        tuple(texts(repair.kind, rows_of(repair.kind, found.take(slice(0, SHOWN)))))
        for found in (repair.missing, repair.extra)
    )
    if repair.emptied:
        return Difference(f"set {repair.name}", "holds `*`, which matches every address")
    return Difference(f"set {repair.name}", what, missing, extra)


def _counters(link: Netlink, written: Table) -> Iterator[Difference]:
    there = inventory.read_counters(link, kernel.NAME)
    for name in written.counters:
        if name not in there:
            yield Difference(f"counter {name}", "is not there")
