"""Pure: the hosts, links, routes and mail servers of a provider's lab, computed from plain inputs.

The network is a tree with the transit router `internet` at its root:

    internet ─┬─ edge ─┬─ sub-POOL ...   one subscriber host per pool, one per extra customer
              │        └─ mail           all own servers
              ├─ foreign                 a mail server elsewhere: 25, 587, 465
              ├─ web                     webmail elsewhere
              └─ otherisp ── offnet      another provider's edge, and its subscriber
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from op25b.lab.addresses import Address, Network, free_host, lab_networks, whole


@dataclass(frozen=True)
class Pool:
    name: str
    prefixes: tuple[str, ...]


@dataclass(frozen=True)
class OwnServer:
    """A server of the provider: host names, addresses, and the TCP ports that are open on it."""

    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    ports: tuple[int, ...]


@dataclass(frozen=True)
class Customer:
    """A subscriber host besides the one per pool, such as an exempt company inside a pool."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Provider:
    """What the lab has to know of a provider.

    reserved: prefixes in which no pool's ordinary subscriber is put (those of exemptions), unless a pool
        lies wholly inside them.
    destinations: further addresses that the foreign mail server answers on (those of exempt destinations).
    home_servers: pools and customers whose subscriber host runs a mail server of its own, which takes mail
        for HOME_DOMAIN on port 25 and delivers mail for elsewhere straight to the foreign server.
    """

    name: str
    pools: tuple[Pool, ...]
    servers: tuple[OwnServer, ...]
    customers: tuple[Customer, ...] = ()
    reserved: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    home_servers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Host:
    """One network namespace. `uplink` is the router that it hangs on, `routed` what that router sends it
    besides its own addresses."""

    name: str
    uplink: str | None
    addresses: tuple[Address, ...]
    routed: tuple[Network, ...] = ()
    router: bool = False

    def address(self, version: int) -> Address | None:
        """Its first address of the family 4 or 6, or None."""
        return next((a for a in self.addresses if a.version == version), None)


@dataclass(frozen=True)
class MailServer:
    """One mail server instance on `host`, named as its mailbox is. It delivers `domain` into one mailbox,
    and relays everything else for clients in `relay_for`, to `relay_to` on port 25. Port 587 wants STARTTLS,
    465 is TLS from the first byte (RFC 8314)."""

    name: str
    host: str
    names: tuple[str, ...]
    addresses: tuple[Address, ...]
    ports: tuple[int, ...]
    domain: str
    relay_for: tuple[Network, ...] = ()
    relay_to: Address | None = None


FOREIGN_DOMAIN = "foreign.example"
PROVIDER_DOMAIN = "provider.example"
HOME_DOMAIN = "home.example"


@dataclass(frozen=True)
class LabPlan:
    provider: str
    hosts: tuple[Host, ...]
    mail_servers: tuple[MailServer, ...]
    subscribers: dict[str, str] = field(hash=False)  # pool or customer name -> host name

    def host(self, name: str) -> Host:
        """Raises KeyError for a host that is not in the plan."""
        return next((h for h in self.hosts if h.name == name), None) or _unknown(name)

    def subscriber(self, name: str) -> Host:
        """The subscriber host of a pool or of an extra customer."""
        return self.host(self.subscribers[name])

    def children(self, router: str) -> Iterator[Host]:
        return (h for h in self.hosts if h.uplink == router)

    def behind(self, host: Host) -> Iterator[Network]:
        """Every network that is reached through `host`: what its uplink must route to it."""
        yield from _own_networks(host)
        for child in self.children(host.name):
            yield from self.behind(child)

    def names(self) -> Iterator[tuple[Address, str]]:
        """(address, host name) pairs for the lab's hosts file."""
        for server in self.mail_servers:
            yield from ((a, name) for a in server.addresses for name in server.names)
        yield from ((a, f"www.{FOREIGN_DOMAIN}") for a in self.host("web").addresses)


def lab_plan(provider: Provider) -> LabPlan:
    """Raises ValueError for names used twice and for inputs that leave no address free, KeyError for a home
    server of nobody."""
    pools = {pool.name: tuple(map(ip_network, pool.prefixes)) for pool in provider.pools}
    own = [ip_address(a) for server in provider.servers for a in server.addresses]
    theirs = [ip_address(a) for a in provider.destinations]
    companies = [ip_address(a) for customer in provider.customers for a in customer.addresses]
    fixed = [whole(a) for a in (*own, *theirs, *companies)]
    reserved = [ip_network(p) for p in provider.reserved]
    used = [*fixed, *reserved, *(p for prefixes in pools.values() for p in prefixes)]

    subscribers = [
        Host(_host_name(name), "edge", tuple(_subscriber_addresses(name, pools, fixed, reserved)), prefixes)
        for name, prefixes in pools.items()
    ]
    subscribers += [Host(_host_name(c.name), "edge", tuple(map(ip_address, c.addresses))) for c in provider.customers]
    around = _hosts_around(own, theirs, lab_networks(used, 4))
    hosts = (*around, *subscribers)
    if len({h.name for h in hosts}) < len(hosts):
        raise ValueError(f"{provider.name}: two pools or customers have the same name")
    given = [*(p.name for p in provider.pools), *(c.name for c in provider.customers)]
    return LabPlan(
        provider.name,
        hosts,
        tuple(_mail_servers(provider, hosts)),
        {name: _host_name(name) for name in given},
    )


def _host_name(subscriber: str) -> str:
    return "sub-" + "".join(c if c.isalnum() or c in "._-" else "_" for c in subscriber)


def _subscriber_addresses(
    name: str,
    pools: dict[str, tuple[Network, ...]],
    fixed: Sequence[Network],
    reserved: Sequence[Network],
) -> Iterator[Address]:
    """One address per family that the pool has: not another host's, and not in a smaller pool inside it."""
    inner = [p for other, prefixes in pools.items() if other != name for p in prefixes]
    for version in (4, 6):
        mine = [p for p in pools[name] if p.version == version]
        smaller = [p for p in inner if any(_inside(p, m) for m in mine)]
        found = free_host(mine, [*fixed, *smaller, *reserved]) or free_host(mine, [*fixed, *smaller])
        if found is not None:
            yield found


def _inside(inner: Network, outer: Network) -> bool:
    return inner.prefixlen > outer.prefixlen and inner.network_address in outer


def _hosts_around(
    own: Iterable[Address], theirs: Iterable[Address], networks: Sequence[tuple[Network, Network]]
) -> tuple[Host, ...]:
    routers, foreign, web, offnet = networks

    def nth(pair: tuple[Network, Network], index: int) -> tuple[Address, ...]:
        return tuple(network[index] for network in pair)

    return (
        Host("internet", None, nth(routers, 1), router=True),
        Host("edge", "internet", nth(routers, 2), router=True),
        Host("otherisp", "internet", nth(routers, 3), router=True),
        Host("offnet", "otherisp", nth(offnet, 1), routed=offnet),
        Host("foreign", "internet", (*nth(foreign, 1), *theirs)),
        Host("web", "internet", nth(web, 1)),
        Host("mail", "edge", tuple(dict.fromkeys(own))),
    )


def _mail_servers(provider: Provider, hosts: Sequence[Host]) -> Iterator[MailServer]:
    by_name = {h.name: h for h in hosts}
    foreign = by_name["foreign"]

    def relay(addresses: Sequence[Address]) -> Address | None:
        return foreign.address(4 if any(a.version == 4 for a in addresses) else 6)

    yield MailServer("foreign", "foreign", (f"mx.{FOREIGN_DOMAIN}",), foreign.addresses, (25, 587, 465), FOREIGN_DOMAIN)
    customers = tuple(n for h in hosts if h.name.startswith("sub-") for n in _own_networks(h))
    for index, server in enumerate(provider.servers):
        addresses = tuple(map(ip_address, server.addresses))
        yield MailServer(
            f"own{index}", "mail", server.hosts, addresses, server.ports,
            PROVIDER_DOMAIN, customers, relay(addresses),
        )  # fmt: skip
    for name in provider.home_servers:
        home = by_name[_host_name(name)]
        yield MailServer(
            home.name, home.name, (f"{home.name}.{HOME_DOMAIN}",), home.addresses, (25,), HOME_DOMAIN,
            tuple(map(whole, home.addresses)), relay(home.addresses),
        )  # fmt: skip


def _own_networks(host: Host) -> Iterator[Network]:
    yield from map(whole, host.addresses)
    yield from host.routed


def _unknown(name: str) -> Host:
    raise KeyError(name)
