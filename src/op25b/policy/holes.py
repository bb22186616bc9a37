"""What a policy may say but probably does not mean: holes in the block, and blocks with no way out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import chain

from op25b.policy import scope
from op25b.policy.faults import Fault, nearest
from op25b.policy.fields import quoted
from op25b.policy.incoming import Security
from op25b.policy.intervals import AddressSet, Intervals, Version
from op25b.policy.model import Exemption, Mode, Phase, Pool, Refuse
from op25b.policy.overlap import meanings, overlaps
from op25b.policy.parts import Parts
from op25b.policy.positions import Path, Positions
from op25b.policy.terms import ExemptionTerms

SUBMISSION = (587, 465)
WIDEST: dict[Version, int] = {4: 16, 6: 32}
"""The longest prefix that is too wide for an exemption."""
VERSIONS: tuple[Version, Version] = (4, 6)


def warnings(parts: Parts, where: Positions) -> Iterator[Fault]:
    """All warnings, in no particular order."""
    for place, what, mend in chain(
        _contacts(parts),
        _terms(parts),
        _servers(parts),
        _pools(parts),
        _overlaps(parts, where),
        _phases(parts),
        _unknown_words(parts),
        _exemptions(parts),
        _filter(parts),
        _submission(parts),
        _names(parts),
        _offers(parts),
        _credentials(parts),
        _incoming(parts),
    ):
        yield Fault(*where.value(place), what, mend, "warning")


Hole = tuple[Path, str, str]
"""Where it is, what is wrong, what to write instead."""


def _contacts(parts: Parts) -> Iterator[Hole]:
    if parts.provider is None:
        return
    if not parts.provider.contacts:
        yield ("provider",), "the provider has no contact, and answers send people there", "write [[provider.contacts]]"
    if parts.provider.hours:
        return
    for number, contact in enumerate(parts.provider.contacts):
        if contact.taken == "hours":
            what = f"contact {contact.address!r} is taken in office hours, but there are none"
            yield ("provider", "contacts", number), what, 'write a table [provider.hours], or taken = "always"'


def _terms(parts: Parts) -> Iterator[Hole]:
    terms = parts.exemption_terms
    if terms.offered and not terms.contact:
        what = "exemptions are offered, but not where to ask for one"
        yield ("exemption_terms",), what, 'write contact = "support@mail.example"'
    if not terms.offered and terms != ExemptionTerms():
        yield ("exemption_terms",), "the terms are never shown, for exemptions are not offered", "write offered = true"
    kinds = ("subscriber", "prefix", "destination")
    if terms.fee and not any(getattr(terms, kind).fee for kind in kinds):
        what = "a fee is stated, and nobody is asked to accept it"
        yield ("exemption_terms", "fee"), what, "write fee = true in [exemption_terms.subscriber]"
    if terms.second_person_above is not None and not terms.approvers:
        what = "a second person is asked for, and anybody may be one"
        yield ("exemption_terms", "second_person_above"), what, "write approvers = [...], two names at least"
    contracts = {pool.contract for _, pool in parts.pools}
    for kind in ("subscriber", "prefix"):
        for number, word in enumerate(getattr(terms, kind).contracts or ()):
            if word not in contracts and "pools" not in parts.faulty:
                what = f"the terms ask for the contract {word!r}, which no pool has"
                yield ("exemption_terms", kind, "contracts", number), what, "write it as the contract of a pool"


def _servers(parts: Parts) -> Iterator[Hole]:
    servers = [server for _, server in parts.own_servers]
    open_ = any(port in server.ports for server in servers for port in SUBMISSION)
    if servers and not open_ and "own_servers" not in parts.faulty:
        for path, phase in parts.phases:
            if phase.mode is Mode.ENFORCE:
                what = f"phase {phase.name!r} blocks with no way out: no own server is open on 587 or 465"
                yield (*path, "mode"), what, "write ports = [587, 465] on an own server"
    for path, server in parts.own_servers:
        if open_ and not set(SUBMISSION) & set(server.ports):
            what = f"own server {server.name!r} takes no message submission"
            yield (*path, "ports"), what, "write 587 and 465 into its ports"
        for version in VERSIONS:
            if all(address.version != version for address in server.addresses):
                example = "192.0.2.25" if version == 4 else "2001:db8::25"
                what = f"own server {server.name!r} has no IPv{version} address"
                yield (*path, "addresses"), what, f'write one into its addresses, such as "{example}"'


def _pools(parts: Parts) -> Iterator[Hole]:
    for path, pool in parts.pools:
        covering = [phase for _, phase in parts.phases if scope.first_miss(phase.scope, pool) is None]
        for version in VERSIONS:
            if covering and all(prefix.version != version for prefix in pool.prefixes):
                what = f"pool {pool.name!r} has no IPv{version} prefix, so phase {covering[0].name!r} leaves a hole"
                yield (*path, "prefixes"), what, f"write the IPv{version} prefixes of these customers"
        yield from _unsaid(parts, path, pool)


def _unsaid(parts: Parts, path: Path, pool: Pool) -> Iterator[Hole]:
    """Keys that would decide whether the pool is in scope, if it said them. No contract is a natural state."""
    blank = [key for key in ("line", "region", "assignment") if getattr(pool, key) is None]
    said: set[str] = set()
    for _, phase in parts.phases if blank else ():
        deciding = [key for key in blank if _decides(phase, key)]
        loose = {f"{key}s": None for key in deciding} | {f"not_{key}s": () for key in deciding if key != "assignment"}
        if deciding and scope.first_miss(phase.scope.model_copy(update=loose), pool) is None:
            for key in deciding:
                if key not in said:
                    said.add(key)
                    what = f"pool {pool.name!r} does not say its {key}, and phase {phase.name!r} decides by it"
                    yield path, what, f"write {key} = ..."


def _decides(phase: Phase, key: str) -> bool:
    return getattr(phase.scope, f"{key}s") is not None or bool(getattr(phase.scope, f"not_{key}s", ()))


def _overlaps(parts: Parts, where: Positions) -> Iterator[Hole]:
    pools = [pool for _, pool in parts.pools]
    meaning = meanings(pools, [phase for _, phase in parts.phases])
    for inner, outer in overlaps(pools):
        if meaning[inner.pool] == meaning[outer.pool]:
            line = where.value((*parts.pools[outer.pool][0], "prefixes", outer.number))[0]
            path = (*parts.pools[inner.pool][0], "prefixes", inner.number)
            what = f"{inner.prefix} is in {outer.prefix} of pool {pools[outer.pool].name!r} already (line {line})"
            yield path, what, "write each address once"


def _phases(parts: Parts) -> Iterator[Hole]:
    for path, phase in parts.phases:
        covers = any(scope.first_miss(phase.scope, pool) is None for _, pool in parts.pools)
        if not covers and "pools" not in parts.faulty:
            yield (*path, "scope"), f"phase {phase.name!r} covers no pool", "write a scope that some pool is in"
        if phase.tentative and not phase.expected:
            what = f"phase {phase.name!r} is tentative and does not say what is expected"
            yield path, what, 'write expected = { ja = "1月中旬", en = "mid-January" }'
        if phase.expected and not phase.tentative:
            what = f"phase {phase.name!r} is not tentative, so what is expected is never shown"
            yield (*path, "expected"), what, "take it out, or write tentative = true"
        period = phase.settings_period
        if period and phase.from_ and not phase.tentative and period.until > phase.from_:
            what = f"customers may change their settings until {period.until.isoformat()}, after the block has begun"
            yield (*path, "settings_period"), what, f"write until = {phase.from_.isoformat()} or earlier"


def _unknown_words(parts: Parts) -> Iterator[Hole]:
    """Words of a scope that no pool has: probably misspelt on one side."""
    if "pools" in parts.faulty:
        return
    for key in ("line", "region", "assignment", "contract"):
        known = sorted({value for _, pool in parts.pools if (value := getattr(pool, key)) is not None})
        for path, phase in parts.phases:
            for name in (f"{key}s", f"not_{key}s"):
                for number, word in enumerate(getattr(phase.scope, name, None) or ()):
                    if word not in known:
                        near = nearest(word, known)
                        mend = f"write {quoted(near)}" if near else f"take it out, or write it as the {key} of a pool"
                        what = f"phase {phase.name!r} refers to {key} {str(word)!r}, which no pool has"
                        yield (*path, "scope", name, number), what, mend


def _exemptions(parts: Parts) -> Iterator[Hole]:
    covered = AddressSet.of(
        prefix
        for _, pool in parts.pools
        if any(scope.first_miss(phase.scope, pool) is None for _, phase in parts.phases)
        for prefix in pool.prefixes
    )
    wholes = _Wholes([pool for _, pool in parts.pools])
    complete = not {"pools", "phases"} & parts.faulty
    for path, exemption in parts.exemptions:
        if exemption.until is None and exemption.review is None:
            what = f"exemption {exemption.name!r} has no end and no review"
            yield path, what, "write review = 2009-04-01, or until"
        for number, prefix in enumerate(exemption.prefixes):
            version: Version = prefix.version
            first, last = int(prefix.network_address), int(prefix.broadcast_address)
            if complete and not _touches(covered.family(version), first, last):
                what = f"exemption {exemption.name!r} is pointless for {prefix}: no phase covers it"
                yield (*path, "prefixes", number), what, "take it out, or write a prefix of a covered pool"
            elif prefix.prefixlen <= WIDEST[version] and not exemption.destinations:
                what = f"exemption {exemption.name!r} opens all of {prefix}"
                yield (*path, "prefixes", number), what, "write the few addresses that send mail"
        for name in wholes.inside(exemption) if not exemption.destinations else ():
            what = f"exemption {exemption.name!r} opens the whole pool {name!r}"
            yield (*path, "prefixes"), what, "write the few addresses that send mail, or a scope without the pool"


def _touches(intervals: Intervals, first: int, last: int) -> bool:
    after = bisect_right(intervals, last, key=lambda interval: interval[0])
    return after > 0 and intervals[after - 1][1] >= first


class _Wholes:
    """Finds the pools that lie wholly inside an exemption, among thousands of both."""

    def __init__(self, pools: list[Pool]) -> None:
        self._pools = pools
        self._spots: dict[Version, list[tuple[int, int, int]]] = {
            version: sorted(
                (int(prefix.network_address), int(prefix.broadcast_address), number)
                for number, pool in enumerate(pools)
                for prefix in pool.prefixes
                if prefix.version == version
            )
            for version in VERSIONS
        }

    def inside(self, exemption: Exemption) -> list[str]:
        """Names of the pools of which the exemption leaves no address."""
        held: dict[int, int] = {}
        exempt = AddressSet.of(exemption.prefixes)
        for version in VERSIONS:
            spots = self._spots[version]
            for first, last in exempt.family(version):
                for spot in spots[bisect_left(spots, (first, 0, 0)) : bisect_right(spots, (last + 1,))]:
                    if spot[1] <= last:
                        held[spot[2]] = held.get(spot[2], 0) + 1
        pools = ((self._pools[number], count) for number, count in held.items())
        return [pool.name for pool, count in pools if count == len(pool.prefixes)]


def _filter(parts: Parts) -> Iterator[Hole]:
    if parts.filter.refuse is Refuse.DROP:
        what = "drop leaves refused mail waiting for hours in the sender's queue"
        yield ("filter", "refuse"), what, 'write refuse = "tcp-reset"'
    if parts.filter.tunnels == "leave":
        yield ("filter", "tunnels"), "port 25 stays open inside 6in4, IPIP and GRE tunnels", 'write tunnels = "block"'
    if parts.filter.fragments == "leave":
        what = "port 25 stays open to IPv6 packets cut before their TCP header"
        yield ("filter", "fragments"), what, 'write fragments = "block"'


def _submission(parts: Parts) -> Iterator[Hole]:
    if not parts.submission.trace_days:
        what = "nobody can say who sent a message once it has left, when a complaint comes"
        yield ("submission", "trace_days"), what, "write trace_days = 90"


def _names(parts: Parts) -> Iterator[Hole]:
    """Words that a page would show raw beside others that have a name, and names that no page shows."""
    names = [name.word for name in parts.information.names]
    if not names or "pools" in parts.faulty:
        return
    unnamed: dict[str, Path] = {}
    used: set[str | None] = set()
    for path, pool in parts.pools:
        used |= {pool.name, pool.line, pool.region, pool.contract}
        for key in ("line", "region", "contract"):
            word = getattr(pool, key)
            if word is not None and word not in names:
                unnamed.setdefault(word, (*path, key))
    for word, place in unnamed.items():
        what = f"pages call {place[-1]} {word!r} by that word, for it has no name in [[information.names]]"
        yield place, what, f'write {{ word = {quoted(word)}, ja = "...", en = "..." }} there'
    yield from _unused_names(names, used)


def _unused_names(names: list[str], used: set[str | None]) -> Iterator[Hole]:
    for number, word in enumerate(names):
        if word not in used:
            what = f"the name for {word!r} is never shown: no pool, line, region or contract is called that"
            yield ("information", "names", number), what, "take it out, or write a word of a pool"


def _offers(parts: Parts) -> Iterator[Hole]:
    lines = {pool.line for _, pool in parts.pools}
    for number, offer in enumerate(parts.information.offers):
        if offer.line is not None and offer.line not in lines and "pools" not in parts.faulty:
            what = f"an offer runs on line {offer.line!r}, which no pool has"
            yield ("information", "offers", number, "line"), what, "write the line of a pool, or take it out"


def _credentials(parts: Parts) -> Iterator[Hole]:
    given = parts.credentials
    if given.user_name == "issued" and not given.self_service and not given.on_notice:
        what = "user names for SMTP AUTH are issued, and a customer is not told where"
        yield ("credentials", "user_name"), what, "write self_service = true or on_notice = true"


def _incoming(parts: Parts) -> Iterator[Hole]:
    """Passwords in the clear (RFC 8314, 4.1)."""
    for number, brand in enumerate(parts.provider.brands if parts.provider else ()):
        for place, server in enumerate(brand.incoming):
            if server.security is Security.NONE:
                what = f"mail programs are told to send passwords to {server.host} in the clear"
                mend = 'write security = "tls" and its port, 993 for IMAP or 995 for POP3, if the server has it'
                yield ("provider", "brands", number, "incoming", place, "security"), what, mend
