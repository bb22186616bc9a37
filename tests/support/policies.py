"""Random policies and random flows for hypothesis, biased to the edges: of prefixes and of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from hypothesis import strategies as st

from op25b.policy.model import Policy
from op25b.policy.verdict import Flow

Net = IPv4Network | IPv6Network
Addr = IPv4Address | IPv6Address

# Documentation and benchmark space: nothing here is an address of the machine that runs the tests.
BASES = tuple(map(ip_network, ("198.18.0.0/15", "203.0.113.0/24", "2001:db8::/32", "2001:db8:0:1::/64")))
LENGTHS = {4: (15, 16, 23, 24, 25, 29, 30, 31, 32), 6: (32, 33, 48, 56, 63, 64, 65, 96, 127, 128)}
OUTSIDE = {4: ip_address("192.0.2.77"), 6: ip_address("2001:db9::77")}
INSTANTS = tuple(
    datetime(2008, 4, day, hour, tzinfo=zone)
    for day, hour, zone in (
        (1, 0, timezone(timedelta(hours=9))),
        (1, 0, UTC),
        (2, 9, timezone(timedelta(hours=9))),  # the same instant as the next one
        (2, 0, UTC),
        (5, 0, timezone(timedelta(hours=-5))),
    )
)
TICK = timedelta(microseconds=1)

SCOPED = {
    "line": ("b-flets", "dial-up"),
    "region": ("toyama", "tokyo"),
    "assignment": ("dynamic", "static"),
    "contract": ("corporate", "already-covered"),
}
PLURAL = {"line": "lines", "region": "regions", "assignment": "assignments", "contract": "contracts"}


@st.composite
def prefixes(draw: st.DrawFn) -> Net:
    """A prefix near the start or the end of a base, so that prefixes often nest, touch, or are the same."""
    base = draw(st.sampled_from(BASES))
    length = draw(st.sampled_from([length for length in LENGTHS[base.version] if length >= base.prefixlen]))
    size = 1 << (base.max_prefixlen - length)
    count = base.num_addresses // size
    number = draw(st.integers(0, min(3, count - 1)))
    if draw(st.booleans()):
        number = count - 1 - number
    return ip_network((int(base.network_address) + number * size, length))


@st.composite
def addresses(draw: st.DrawFn) -> Addr:
    """An address at an edge of a prefix."""
    net = draw(prefixes())
    return draw(st.sampled_from((net.network_address, net.broadcast_address)))


@st.composite
def _span(draw: st.DrawFn) -> dict[str, datetime]:
    start, end = (draw(st.none() | st.sampled_from(INSTANTS)) for _ in range(2))
    if start and end and start >= end:
        start = None
    return {key: at for key, at in (("from", start), ("until", end)) if at}


@st.composite
def _pools(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Pools that do not overlap, but for some that are listed twice under two names with the same meaning."""
    pools: list[dict[str, Any]] = []
    taken: list[Net] = []
    for number in range(draw(st.integers(1, 4))):
        found = [net for net in draw(st.lists(prefixes(), min_size=1, max_size=5)) if not _overlap(net, taken)]
        if not found:
            continue
        taken += found
        said = {key: draw(st.none() | st.sampled_from(words)) for key, words in SCOPED.items()}
        pool = {key: value for key, value in said.items() if value} | {"prefixes": [str(net) for net in found]}
        pools.append({"name": f"pool-{number}"} | pool)
        if draw(st.integers(0, 4)) == 0:
            again = draw(st.lists(st.sampled_from(found), min_size=1, unique=True))
            pools.append({"name": f"pool-{number}-again"} | pool | {"prefixes": [str(net) for net in again]})
    return pools


def _overlap(net: Net, taken: list[Net]) -> bool:
    return any(net.version == other.version and net.overlaps(other) for other in taken)  # type: ignore[arg-type]


@st.composite
def _scope(draw: st.DrawFn, names: list[str]) -> dict[str, list[str]]:
    scope: dict[str, list[str]] = {}
    keys = draw(st.lists(st.sampled_from(sorted(SCOPED)), max_size=2, unique=True)) if draw(st.booleans()) else []
    for key in keys:
        refused = key != "assignment" and draw(st.booleans())
        words = draw(st.lists(st.sampled_from(SCOPED[key]), min_size=1, unique=True))
        scope[f"not_{PLURAL[key]}" if refused else PLURAL[key]] = words
    if draw(st.integers(0, 3)) == 0:
        # both names of a pool that is listed twice, or the two would mean different things
        roots = draw(st.lists(st.sampled_from(sorted({name.removesuffix("-again") for name in names})), unique=True))
        chosen = [name for name in names if name.removesuffix("-again") in roots]
        scope[draw(st.sampled_from(("pools", "not_pools")))] = chosen
    return scope


@st.composite
def _phase(draw: st.DrawFn, name: str, names: list[str]) -> dict[str, Any]:
    dated = draw(_span()) if draw(st.booleans()) else {}
    phase: dict[str, Any] = {"name": name, "scope": draw(_scope(names)), **dated}
    phase["mode"] = draw(st.sampled_from(("enforce", "enforce", "enforce", "monitor", "announce")))
    if draw(st.integers(0, 5)) == 0:
        phase["tentative"] = True
    return phase


@st.composite
def _exemption(draw: st.DrawFn, name: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(("prefixes", "destinations", "both")))
    exemption: dict[str, Any] = {"name": name, "reason": "asked for", **draw(_span())}
    for key in ("prefixes", "destinations"):
        if kind in (key, "both"):
            exemption[key] = [str(net) for net in draw(st.lists(prefixes(), min_size=1, max_size=3))]
    return exemption


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy that the loader would take: pools, phases, exemptions, own servers, and how to refuse."""
    pools = draw(_pools())
    names = [pool["name"] for pool in pools]
    servers = draw(st.lists(addresses(), max_size=3, unique=True))
    return Policy.model_validate(
        {
            "provider": {"name": "random", "display": {"ja": "乱", "en": "Random"}, "time_zone": "Asia/Tokyo"},
            "pools": pools,
            "own_servers": [
                {
                    "name": f"server-{number}",
                    "hosts": [f"mail{number}.example.net"],
                    "addresses": [str(address)],
                    "ports": draw(st.sampled_from(([25, 587], [587, 465]))),
                }
                for number, address in enumerate(servers)
            ],
            "phases": [draw(_phase(f"phase-{number}", names)) for number in range(draw(st.sampled_from((2, 1, 3, 0))))],
            "exemptions": [draw(_exemption(f"exemption-{number}")) for number in range(draw(st.integers(0, 3)))],
            "filter": {
                "refuse": draw(st.sampled_from(("tcp-reset", "icmp", "drop"))),
                "tunnels": draw(st.sampled_from(("block", "leave"))),
                "fragments": draw(st.sampled_from(("block", "leave"))),
            },
        }
    )


def members(policy: Policy) -> dict[int, list[Addr]]:
    """By family: first and last address of the pools' prefixes."""
    nets = [net for pool in policy.pools for net in pool.prefixes]
    ends = sorted({end for net in nets for end in (net.network_address, net.broadcast_address)}, key=int)
    return {version: [end for end in ends if end.version == version] for version in (4, 6)}


def edges(policy: Policy) -> dict[int, list[Addr]]:
    """By family: first and last address of everything that the policy names, the ones beside, and one far away."""
    nets = [net for pool in policy.pools for net in pool.prefixes]
    nets += [net for exemption in policy.exemptions for net in (*exemption.prefixes, *exemption.destinations)]
    nets += [ip_network(address) for server in policy.own_servers for address in server.addresses]
    found: dict[int, set[Addr]] = {4: {OUTSIDE[4]}, 6: {OUTSIDE[6]}}
    for net in nets:
        first, last = int(net.network_address), int(net.broadcast_address)
        top = 2**net.max_prefixlen - 1
        kind = type(net.network_address)
        near = (first - 1, first, first + 1, (first + last) // 2, last - 1, last, last + 1)
        found[net.version] |= {kind(value) for value in near if 0 <= value <= top}
    return {version: sorted(ends) for version, ends in found.items()}


def instants(policy: Policy) -> st.SearchStrategy[datetime]:
    """Instants at which the policy changes, the ones just before, and one before and after all of them."""
    tables = (*policy.phases, *policy.exemptions)
    named = {at for table in tables for at in (table.from_, table.until) if at} or {INSTANTS[0]}
    ticks = [*named, *(at - TICK for at in named)]
    return st.sampled_from([min(named) - timedelta(days=9), *sorted(ticks), max(named) + timedelta(days=9)])


def flows(policy: Policy) -> st.SearchStrategy[Flow]:
    """Flows between edges of the policy: mostly TCP to port 25 from a pool, and what is easily taken for it."""
    anywhere, customers = edges(policy), members(policy)
    families = [version for version in (4, 6) if customers[version]] or [4, 6]

    @st.composite
    def flow(draw: st.DrawFn) -> Flow:
        version = draw(st.sampled_from((*families, *families, 4, 6)))
        sources = draw(st.sampled_from((customers, customers, customers, anywhere)))[version] or anywhere[version]
        src, dst = draw(st.sampled_from(sources)), draw(st.sampled_from(anywhere[version]))
        dport = draw(st.sampled_from((25, 25, 25, 25, 25, 25, 24, 587, 465, 6400)))
        sport = draw(st.sampled_from((None, 40000, 25)))
        return Flow(src, dst, dport, sport, draw(st.sampled_from((6, 6, 6, 6, 6, 6, 17))))

    return flow()


@st.composite
def cases(draw: st.DrawFn, count: int = 40) -> tuple[Policy, list[tuple[Flow, datetime]]]:
    """A policy, and flows each with an instant of its own."""
    policy = draw(policies())
    pairs = st.tuples(flows(policy), instants(policy))
    return policy, draw(st.lists(pairs, min_size=count, max_size=count))
