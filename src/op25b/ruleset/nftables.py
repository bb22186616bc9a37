"""The nftables dialect: one table, `inet op25b`, from a neutral ruleset.

Order of the tests for a packet: the port, then the source's set, then the allowed destinations and the exemptions,
then the refusal. So a packet that is not for port 25 costs one comparison, whatever the policy holds.
The same text serves `compile` (with the members of the sets) and enforcement (without: they go in by netlink).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from op25b.policy.intervals import TOP, AddressSet, Interval, Intervals, Version, address, by_length, prefixes
from op25b.policy.model import Refuse
from op25b.ruleset import live
from op25b.ruleset.live import TABLE, base_chain
from op25b.ruleset.nft_wrapped import wrapped_chains
from op25b.ruleset.rules import Action, Rule, Ruleset

TREE = 4096
"""Intervals in one set at most. The kernel takes a tree of them in and out far slower than a hash, so beyond this
the prefixes go into one hash for each of their lengths, and a packet's address is masked to look it up."""

_IP = {4: "ip", 6: "ip6"}
_VERSIONS: tuple[Version, Version] = (4, 6)


@dataclass(frozen=True)
class NftSet:
    """A set to be filled: single addresses (a hash) or intervals (a tree), of one family."""

    name: str
    version: Version
    hosts: bool
    members: Intervals

    def declaration(self, members: bool) -> str:
        """The set as nft reads it, empty or with its members."""
        # the kernel counts an interval's start and end apart
        size = max(16, len(self.members) if self.hosts else 2 * len(self.members) + 2)
        flags = "" if self.hosts else "flags interval; "
        elements = f"elements = {{ {', '.join(map(self._element, self.members))} }}; " if members else ""
        return f"set {self.name} {{ type ipv{self.version}_addr; {flags}size {size}; {elements}}}"

    def _element(self, span: Interval) -> str:
        found = list(prefixes(self.version, (span,)))
        if self.hosts or len(found) == 1:
            return str(found[0].network_address if self.hosts else found[0])
        return f"{address(self.version, span[0])}-{address(self.version, span[1])}"


@dataclass
class Chains:
    """Chains and sets as they are written down, under names that all begin with `prefix`.

    Parts of a name are joined by `_`, which no name in a policy holds, so that no two can be the same.
    """

    prefix: str
    written: dict[str, list[str]] = field(default_factory=dict)
    sets: list[NftSet] = field(default_factory=list)

    def add(self, name: str, rules: Iterable[str]) -> str:
        """Write a chain under its full name, which is returned."""
        full = self.prefix + name
        self.written[full] = list(rules)
        return full

    def match(self, key: str, where: str, members: AddressSet, verdict: str) -> list[str]:
        """Rules that apply `verdict` to packets whose address (`where`: saddr, daddr) is a member."""
        rules = []
        for version in _VERSIONS:
            found = members.family(version)
            hosts = tuple(span for span in found if span[0] == span[1])
            ranges = tuple(span for span in found if span[0] != span[1])
            test = f"{_IP[version]} {where}"
            if len(ranges) > TREE:
                rules += self._by_length(key, version, found, test, verdict)
                continue
            if hosts:
                rules.append(f"{test} @{self._set(f'{key}_hosts{version}', version, True, hosts)} {verdict}")
            if ranges:
                rules.append(f"{test} @{self._set(f'{key}_v{version}', version, False, ranges)} {verdict}")
        return rules

    def _set(self, key: str, version: Version, hosts: bool, members: Intervals) -> str:
        self.sets.append(NftSet(self.prefix + key, version, hosts, members))
        return self.prefix + key

    def _by_length(self, key: str, version: Version, found: Intervals, test: str, verdict: str) -> list[str]:
        """A hash of network addresses for each prefix length that occurs, the longest (hosts) first."""
        rules = []
        for length, networks in sorted(by_length(version, found).items(), reverse=True):
            members = tuple((network, network) for network in networks)
            name = self._set(f"{key}_v{version}_{length}", version, True, members)
            mask = address(version, TOP[version] ^ (TOP[version] >> length))
            rules.append(f"{test} & {mask} @{name} {verdict}")
        return rules


@dataclass(frozen=True)
class Table:
    """A ruleset in this dialect. `main` is the chain that the base chain goes to."""

    main: str
    counters: tuple[str, ...]
    exempt_size: int
    sets: tuple[NftSet, ...]
    chains: dict[str, list[str]]

    def declarations(self) -> list[str]:
        """What outlives a generation: the counters, the sets of sources that were seen trying, and the live sets."""
        return [*(f"counter {name} {{ }}" for name in self.counters), *live.declarations(self.exempt_size)]

    def body(self, members: bool = False) -> list[str]:
        """Chains and sets of this ruleset alone. nft wants a chain declared before a jump to it."""
        declared = [f"chain {name} {{ }}" for name in self.chains]
        rules = []
        for name, lines in self.chains.items():
            rules += [f"chain {name} {{", *(f"\t{line}" for line in lines), "}"]
        return [*declared, *(each.declaration(members) for each in self.sets), *rules]


def table(ruleset: Ruleset, prefix: str = "") -> Table:
    """The ruleset's chains and sets; `prefix` goes before each name, so that two generations can stand side by side."""
    chains = Chains(prefix)
    refusing = any(rule.action is Action.REFUSE for rule in ruleset.phases)
    size = ruleset.filter.exempt_size
    # written also when nothing is covered: by what a generation refers to it is known which live sets it wants
    passing = [*_allowed(chains, ruleset.passes), *live.rules(size)]
    allowed = chains.add("allowed", passing) if passing else None
    wrapped = wrapped_chains(chains.add, ruleset.filter, allowed) if refusing else None
    # only a first fragment holds the ports and the inner header; what stands there in a later one is data
    sources = ["ip frag-off & 0x1fff != 0 accept", "frag frag-off != 0 accept"]
    for rule in ruleset.phases:
        assert rule.sources is not None
        target = chains.add(rule.name, _phase(ruleset, rule, allowed))
        if wrapped is not None:
            # a source gets here with what is not readable as TCP too, a tunnel or a fragment
            hidden = [f"goto {wrapped}"] if rule.action is Action.REFUSE else []
            target = chains.add(f"{rule.name}_any", [f"tcp dport 25 goto {target}", *hidden])
        sources += chains.match(rule.name, "saddr", rule.sources, f"goto {target}")
    chains.add("sources", sources)
    main = chains.add("main", _main(ruleset, f"{prefix}sources", wrapped is not None))
    counters = [name for name, asked in _hidden(ruleset) if refusing and asked]
    return Table(
        main,
        (*(rule.name for rule in ruleset), *counters, *([live.COUNTER] if size else ())),
        size,
        tuple(chains.sets),
        chains.written,
    )


def _hidden(ruleset: Ruleset) -> tuple[tuple[str, bool], ...]:
    wanted = ruleset.filter
    return (("hidden/tunnels", wanted.tunnels == "block"), ("hidden/fragments", wanted.fragments == "block"))


def _main(ruleset: Ruleset, sources: str, wrapped: bool) -> list[str]:
    rules = [
        'tcp dport != 25 accept comment "not-port-25"',
        # nothing below is about UDP, and most of what is not TCP is UDP
        "meta l4proto udp accept",
        f"tcp dport 25 goto {sources}",
    ]
    if wrapped and ruleset.filter.tunnels == "block":
        rules.append(f"meta l4proto {{ 4, 41, 47 }} goto {sources}")
    if wrapped and ruleset.filter.fragments == "block":
        rules.append(f"exthdr frag exists goto {sources}")
    return rules


def _allowed(chains: Chains, passes: Iterable[Rule]) -> list[str]:
    """For packets from covered sources: what the policy lets pass all the same, by rule."""
    rules = []
    for rule in passes:
        verdict = f"counter name {rule.name} accept"
        if rule.sources and rule.destinations:
            inner = chains.match(f"{rule.name}_to", "daddr", rule.destinations, verdict)
            rules += chains.match(rule.name, "saddr", rule.sources, f"jump {chains.add(f'{rule.name}_to', inner)}")
        elif rule.sources:
            rules += chains.match(rule.name, "saddr", rule.sources, verdict)
        elif rule.destinations:
            rules += chains.match(rule.name, "daddr", rule.destinations, verdict)
    return rules


def _phase(ruleset: Ruleset, rule: Rule, allowed: str | None) -> list[str]:
    """TCP to 25 from a source of this phase: allowed, or noted by source, logged, counted, and refused."""
    kind = "refused" if rule.action is Action.REFUSE else "monitored"
    rules = [f"jump {allowed}"] if allowed else []
    rules += [
        f"update @{kind}4 {{ ip saddr }}",
        # a host changes its address within its /64 at will, so the /64 is what is counted
        f"update @{kind}6 {{ ip6 saddr & ffff:ffff:ffff:ffff:: }}",
    ]
    if ruleset.filter.log_group is not None:
        rules.append(
            # attempts come in bursts; without a burst of its own the limit lets five of them through
            f"limit rate {ruleset.filter.log_rate}/second burst {ruleset.filter.log_rate} packets "
            f'log prefix "op25b {kind} {rule.name}" '
            f"group {ruleset.filter.log_group} snaplen 128 queue-threshold 100"
        )
    if rule.action is Action.REFUSE and ruleset.filter.refuse is Refuse.ICMP:
        # ICMP ends no session that is open (RFC 5927 4.3 makes it soft); a reset does
        rules.append(f"tcp flags ack counter name {rule.name} {refusal(Refuse.TCP_RESET)}")
    rules.append(f"counter name {rule.name} {refusal(ruleset.filter.refuse) if kind == 'refused' else 'accept'}")
    return rules


def refusal(refuse: Refuse) -> str:
    """How TCP is refused: at once and visibly, unless the policy asks for silence."""
    return {
        Refuse.TCP_RESET: "reject with tcp reset",
        Refuse.ICMP: "reject with icmpx admin-prohibited",
        Refuse.DROP: "drop",
    }[refuse]


def render(ruleset: Ruleset) -> str:
    """The whole table as a file for `nft -f`, members included; loading it replaces what was there at once."""
    written = table(ruleset)
    comments = [f"# {rule.name}: {rule.action}, made of {_some(rule.origin)}" for rule in ruleset]
    body = [*written.declarations(), *written.body(members=True), *base_chain([f"goto {written.main}"])]
    return "\n".join(
        [
            "#!/usr/sbin/nft -f",
            f"# op25b: {ruleset.provider}, the policy at {ruleset.at.isoformat()}",
            *comments,
            "",
            "# the first line makes sure that there is a table to delete",
            f"table {TABLE} {{ }}",
            f"delete table {TABLE}",
            f"table {TABLE} {{",
            *(f"\t{line}" for line in body),
            "}",
            "",
        ]
    )


def _some(names: tuple[str, ...], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
