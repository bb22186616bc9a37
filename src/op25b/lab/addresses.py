"""Pure: which addresses the lab may use without meeting the provider's own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_network,
)
from itertools import pairwise

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Documentation and benchmark space first (RFC 5737, 2544, 3849, 9637); private space for a policy that
# covers all of it.
CANDIDATES4 = ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24", "198.18.0.0/15", "10.0.0.0/8")
CANDIDATES6 = ("2001:db8::/32", "3fff::/20", "fd00::/8")


def free_networks(within: Iterable[Network], used: Iterable[Network], prefixlen: int) -> Iterator[Network]:
    """Networks of the given length inside `within` that meet nothing in `used`, lowest first.

    Only members of `used` of the same family count.
    """
    taken4, taken6 = _spans(used, 4), _spans(used, 6)
    for outer in within:
        taken = taken4 if outer.version == 4 else taken6
        starts = [first for first, _ in taken]
        step = 1 << (outer.max_prefixlen - prefixlen)
        cursor, end = int(outer.network_address), int(outer.broadcast_address)
        while cursor + step - 1 <= end:
            # The last span that starts before our end is the only one that can reach into us from below.
            index = bisect_right(starts, cursor + step - 1) - 1
            if index >= 0 and taken[index][1] >= cursor:
                cursor = (taken[index][1] // step + 1) * step
                continue
            yield ip_network((cursor, prefixlen)) if outer.version == 6 else IPv4Network((cursor, prefixlen))
            cursor += step


def free_host(within: Iterable[Network], avoid: Iterable[Network]) -> Address | None:
    """The lowest usable host address in `within` that no network in `avoid` holds; None when there is none.

    Network and broadcast addresses (IPv4) and the subnet-router anycast address (RFC 4291 2.6.1) are not
    usable, except in prefixes of one or two addresses (RFC 3021, RFC 6164).
    """
    avoided = list(avoid)
    for network in within:
        unusable = []
        if network.prefixlen < network.max_prefixlen - 1:
            unusable = [whole(network.network_address), whole(network.broadcast_address)]
        for found in free_networks([network], [*avoided, *unusable], network.max_prefixlen):
            return found.network_address
    return None


def whole(address: Address) -> Network:
    """The /32 or /128 of one address."""
    return ip_network(address)


def lab_networks(used: Iterable[Network], count: int) -> list[tuple[Network, Network]]:
    """`count` pairs of an IPv4 /28 and an IPv6 /48 for the hosts around the provider, clear of `used`.

    Raises ValueError when the provider's prefixes leave no room.
    """
    taken = list(used)
    four = free_networks(map(ip_network, CANDIDATES4), taken, 28)
    six = free_networks(map(ip_network, CANDIDATES6), taken, 48)
    pairs = [pair for _, pair in zip(range(count), zip(four, six, strict=False), strict=False)]
    if len(pairs) < count:
        raise ValueError("the provider's prefixes leave no addresses for the lab's other hosts")
    return pairs


def crowd_networks(used: Iterable[Network]) -> tuple[Network, Network]:
    """An IPv4 /24 and an IPv6 /48 for many servers elsewhere, clear of `used`.

    Raises ValueError when the provider's prefixes leave no room.
    """
    taken = list(used)
    four = next(free_networks(map(ip_network, CANDIDATES4), taken, 24), None)
    six = next(free_networks(map(ip_network, CANDIDATES6), taken, 48), None)
    if four is None or six is None:
        raise ValueError("the provider's prefixes leave no networks for the lab's many servers elsewhere")
    return four, six


def _spans(networks: Iterable[Network], version: int) -> list[tuple[int, int]]:
    """Disjoint (first, last) integers, ascending."""
    merged: Iterable[Network]
    if version == 4:
        merged = collapse_addresses(n for n in networks if isinstance(n, IPv4Network))
    else:
        merged = collapse_addresses(n for n in networks if isinstance(n, IPv6Network))
    spans = [(int(n.network_address), int(n.broadcast_address)) for n in merged]
    assert all(a[1] < b[0] for a, b in pairwise(spans))
    return spans
