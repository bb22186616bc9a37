"""What must hold between the tables of a policy; each function yields one error for every breach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from op25b.policy.credentials import Credentials
from op25b.policy.faults import Fault, nearest
from op25b.policy.fields import quoted, web_address
from op25b.policy.information import Information
from op25b.policy.model import ContactKind, Mode, Phase, Provider
from op25b.policy.overlap import meanings, overlaps
from op25b.policy.parts import Parts
from op25b.policy.positions import Path, Positions
from op25b.policy.terms import ExemptionTerms

NOUNS = {"pools": "pools", "phases": "phases", "exemptions": "exemptions", "own_servers": "own servers"}
WIDEST = {4: 8, 6: 16}
"""The shortest prefix, by family, that one provider's customers may have."""
SCOPE_KEYS = ("pools", "lines", "regions", "contracts")
_OF_STORE = re.compile(r"x[0-9]+")
"""How verdicts name the exemptions of the store."""


def errors(parts: Parts, where: Positions) -> Iterator[Fault]:
    """All errors between tables, in no particular order."""
    return chain(
        _same_names(parts, where),
        _provider(parts.provider, where),
        _same_addresses(parts, where),
        _overlaps(parts, where),
        _too_wide(parts, where),
        _phases(parts, where),
        _exemptions(parts, where),
        _nowhere_to_go(parts, where),
        _terms(parts.exemption_terms, where),
        _watch(parts, where),
        _information(parts.information, where),
        _credentials(parts.credentials, where),
    )


def _same_names(parts: Parts, where: Positions) -> Iterator[Fault]:
    for table, noun in NOUNS.items():
        first: dict[str, Path] = {}
        for path, name in parts.texts(table, "name"):
            if name not in first:
                first[name] = path
                continue
            line = where.value((*first[name], "name"))[0]
            what = f"two {noun} are named {name!r}, the other in line {line}"
            yield Fault(*where.value((*path, "name")), what, "write a name of its own")


def _provider(provider: Provider | None, where: Positions) -> Iterator[Fault]:
    if provider is None:
        return
    names = [brand.name for brand in provider.brands]
    for number, name in enumerate(names):
        if name in names[:number]:
            place = where.value(("provider", "brands", number, "name"))
            yield Fault(*place, f"two brands are named {name!r}", "write a name of its own")
    for number, contact in enumerate(provider.contacts):
        if contact.kind is ContactKind.WEB:
            yield from _linked(contact.address, ("provider", "contacts", number, "address"), where)
    hours = provider.hours
    if hours and hours.opens >= hours.closes:
        what = f"the desk closes at {hours.closes:%H:%M}, which is not after {hours.opens:%H:%M}, when it opens"
        yield Fault(*where.value(("provider", "hours", "closes")), what, "write a later time, closes = 17:45:00")


def _linked(address: str, place: Path, where: Positions) -> Iterator[Fault]:
    """A contact on the web is one that a page can link to."""
    try:
        web_address(address)
    except ValueError as error:
        what, _, mend = str(error).partition("; ")
        yield Fault(*where.value(place), f"address: {what}", mend)


def _same_addresses(parts: Parts, where: Positions) -> Iterator[Fault]:
    first: dict[object, Path] = {}
    for path, server in parts.own_servers:
        for number, address in enumerate(server.addresses):
            place: Path = (*path, "addresses", number)
            if address not in first:
                first[address] = place
                continue
            what = f"{address} is an own server's address already, in line {where.value(first[address])[0]}"
            yield Fault(*where.value(place), what, "write each address once, on one own server")


def _overlaps(parts: Parts, where: Positions) -> Iterator[Fault]:
    pools = [pool for _, pool in parts.pools]
    meaning = meanings(pools, [phase for _, phase in parts.phases])
    for inner, outer in overlaps(pools):
        if meaning[inner.pool] == meaning[outer.pool]:
            continue
        line = where.value((*parts.pools[outer.pool][0], "prefixes", outer.number))[0]
        outer_pool = f"pool {pools[outer.pool].name!r} (line {line})"
        if inner.prefix == outer.prefix:
            lies = f"is in pool {pools[inner.pool].name!r} and in {outer_pool}"
        else:
            lies = f"of pool {pools[inner.pool].name!r} lies inside {outer.prefix} of {outer_pool}"
        what = f"{inner.prefix} {lies}, and the two mean different things"
        place = where.value((*parts.pools[inner.pool][0], "prefixes", inner.number))
        yield Fault(*place, what, "write each address in one pool only")


def _too_wide(parts: Parts, where: Positions) -> Iterator[Fault]:
    """With the rest of the world in a pool, its mail to customers would be refused as if customers sent it."""
    for path, pool in parts.pools:
        for number, prefix in enumerate(pool.prefixes):
            if prefix.prefixlen < WIDEST[prefix.version]:
                what = f"{prefix} is a great part of the Internet, not the customers of pool {pool.name!r}"
                place = where.value((*path, "prefixes", number))
                yield Fault(*place, what, "write the prefixes that the customers have")


def _phases(parts: Parts, where: Positions) -> Iterator[Fault]:
    pools = parts.said("pools", "name")
    for path, phase in parts.phases:
        yield from _order(path, phase.from_, phase.until, where)
        if phase.settings_period:
            period = phase.settings_period
            yield from _order((*path, "settings_period"), period.from_, period.until, where)
        if phase.tentative and phase.until:
            what = f"phase {phase.name!r} is tentative, but its end is fixed"
            yield Fault(*where.value((*path, "until")), what, "leave until out as long as the start is tentative")
        yield from _contradictions(path, phase, where)
        # an unknown name may be meant for a pool whose own name is missing
        if len(pools) == parts.count("pools"):
            yield from _unknown_pools(path, phase, pools, where)


def _order(path: Path, start: datetime | None, end: datetime | None, where: Positions) -> Iterator[Fault]:
    if start and end and end <= start:
        what = f"until {end.isoformat()} is not after from {start.isoformat()}"
        yield Fault(*where.value((*path, "until")), what, "write a later time, or leave until out for no end")


def _contradictions(path: Path, phase: Phase, where: Positions) -> Iterator[Fault]:
    for key in SCOPE_KEYS:
        wanted = getattr(phase.scope, key) or ()
        for number, word in enumerate(getattr(phase.scope, f"not_{key}")):
            if word in wanted:
                place = where.value((*path, "scope", f"not_{key}", number))
                yield Fault(*place, f"{word!r} is in {key} and in not_{key}", "write it in one of them only")


def _unknown_pools(path: Path, phase: Phase, pools: list[str], where: Positions) -> Iterator[Fault]:
    known = set(pools)
    for key, names in (("pools", phase.scope.pools or ()), ("not_pools", phase.scope.not_pools)):
        for number, name in enumerate(names):
            if name in known:
                continue
            near = nearest(name, pools)
            mend = f"write {quoted(near)}" if near else "write the name of a pool of this file, or take it out"
            place = where.value((*path, "scope", key, number))
            yield Fault(*place, f"phase {phase.name!r} refers to {name!r}, which no pool is named", mend)


def _exemptions(parts: Parts, where: Positions) -> Iterator[Fault]:
    for path, exemption in parts.exemptions:
        yield from _order(path, exemption.from_, exemption.until, where)
        if _OF_STORE.fullmatch(exemption.name):
            what = f"the name {exemption.name!r} is that of an exemption of the store (op25b exempt)"
            yield Fault(*where.value((*path, "name")), what, "write another name, such as that of its holder")
        if not exemption.prefixes and not exemption.destinations:
            what = f"exemption {exemption.name!r} exempts nothing"
            mend = 'write prefixes = ["192.0.2.25"] for senders, or destinations for servers they may reach'
            yield Fault(*where.value(path), what, mend)
        review = exemption.review
        if review and exemption.until and review > exemption.until.date():
            what = f"review {review} is after the exemption has ended, {exemption.until.date()}"
            yield Fault(*where.value((*path, "review")), what, "write an earlier date, or leave review out")
        if review and exemption.from_ and review < exemption.from_.date():
            what = f"review {review} is before the exemption begins, {exemption.from_.date()}"
            yield Fault(*where.value((*path, "review")), what, "write a later date")


def _nowhere_to_go(parts: Parts, where: Positions) -> Iterator[Fault]:
    if parts.own_servers or "own_servers" in parts.faulty:
        return
    for path, phase in parts.phases:
        if phase.mode is Mode.ENFORCE and not phase.tentative:
            what = f"phase {phase.name!r} enforces a block, but there is no own server to send through"
            mend = 'write an [[own_servers]] table with ports = [587, 465], or mode = "announce"'
            yield Fault(*where.value((*path, "mode")), what, mend)


def _terms(terms: ExemptionTerms, where: Positions) -> Iterator[Fault]:
    for kind in ("subscriber", "prefix", "destination"):
        if getattr(terms, kind).fee and terms.fee is None:
            place = where.value(("exemption_terms", kind, "fee"))
            yield Fault(*place, "a fee is to be accepted, and none is stated", 'write fee = { ja = "...", en = "..." }')
    if terms.second_person_above is not None and len(set(terms.approvers)) == 1:
        what = f"a second person is asked for, and only {terms.approvers[0]!r} may approve"
        yield Fault(*where.value(("exemption_terms", "approvers")), what, "write another name, or none for everybody")
    shortest = terms.review_days + terms.notice_days
    if terms.longest_days is not None and terms.longest_days < shortest:
        what = f"an exemption to which nobody set an end holds for {shortest} days (review_days and notice_days)"
        place = where.value(("exemption_terms", "longest_days"))
        yield Fault(*place, what, f"write longest_days = {shortest} or more, or a smaller review_days")


def _watch(parts: Parts, where: Positions) -> Iterator[Fault]:
    """Nobody loses his exemptions who was not told before."""
    for number, kind in enumerate(parts.watch.quarantine):
        if kind not in parts.watch.notice:
            place = where.value(("watch", "quarantine", number))
            yield Fault(*place, f"{kind.value!r} is quarantined without notice", f'write notice = ["{kind}"] too')


def _information(information: Information, where: Positions) -> Iterator[Fault]:
    words = [name.word for name in information.names]
    for key, found in (("reasons", information.reasons), ("names", words)):
        for number, word in enumerate(found):
            if word in found[:number]:
                place = where.value(("information", key, number))
                yield Fault(*place, f"{str(word)!r} is in {key} twice", "write it once")


def _credentials(credentials: Credentials, where: Positions) -> Iterator[Fault]:
    free = credentials.reissue.free if credentials.reissue else None
    if free:
        yield from _order(("credentials", "reissue", "free"), free.from_, free.until, where)
