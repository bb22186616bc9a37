"""Pure: the hosts, links, routes and mail servers of a provider's lab, computed from plain inputs.

The network is a tree with the transit router `internet` at its root:

    internet ─┬─ edge ─┬─ sub-POOL ...   one subscriber host per pool, one per extra customer
              │        ├─ mail           all own servers: op25b; a mailbox server behind them
              │        ├─ radius         FreeRADIUS, to which the edge reports who has which addresses
              │        └─ portal         op25b: the customers' pages and the desks'
              ├─ foreign                 a mail server elsewhere: 25, 587, 465
              ├─ crowd                   many of them: whole networks, each address of which answers on 25
              ├─ web                     webmail elsewhere
              └─ otherisp ── offnet      another provider's edge, and its subscriber
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from op25b.lab import servers
from op25b.lab.addresses import Address, Network, crowd_networks, free_host, lab_networks, whole
from op25b.lab.leases import Lease, leased
from op25b.lab.servers import FOREIGN_DOMAIN, HOME_DOMAIN, MAILBOXES, Account, MailServer, OwnServer, Service

_LOOPBACK = ip_address("127.0.0.1")


@dataclass(frozen=True)
class Pool:
    name: str
    prefixes: tuple[str, ...]


@dataclass(frozen=True)
class Customer:
    """A subscriber host besides the one per pool, such as an exempt company inside a pool."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Further:
    """A customer besides a pool's usual one, at addresses of the pool that nobody else has: at `homes` (1 or more) of
    them, one after the other."""

    name: str
    pool: str
    homes: int = 1


@dataclass(frozen=True)
class Provider:
    """What the lab has to know of a provider.

    reserved: prefixes in which no pool's ordinary subscriber is put (those of exemptions), unless a pool
        lies wholly inside them.
    destinations: further addresses that the foreign mail server answers on (those of exempt destinations).
    home_servers: pools and customers whose subscriber host runs a mail server of its own, which takes mail
        for HOME_DOMAIN on port 25 and delivers mail for elsewhere straight to the foreign server, or to the
        provider's as its smart host.
    policy: the text of the policy file, which the own servers serve by.
    domains: those of the customers' mail addresses.
    pop: customers read their mail by POP.
    router: the edge runs `op25b serve`, and reports by RADIUS who holds which address.
    pages: the portal is served.
    """

    name: str
    pools: tuple[Pool, ...]
    servers: tuple[OwnServer, ...]
    customers: tuple[Customer, ...] = ()
    further: tuple[Further, ...] = ()
    reserved: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    home_servers: tuple[str, ...] = ()
    policy: str = ""
    domains: tuple[str, ...] = ()
    pop: bool = False
    router: bool = False
    pages: bool = False


@dataclass(frozen=True)
class Host:
    """One network namespace. `uplink` is the router that it hangs on, `routed` what that router sends it
    besides its own addresses; `anyip`: all of that is its own too. `later`: the addresses that it moves to."""

    name: str
    uplink: str | None
    addresses: tuple[Address, ...]
    routed: tuple[Network, ...] = ()
    router: bool = False
    anyip: bool = False
    later: tuple[tuple[Address, ...], ...] = ()

    def address(self, version: int) -> Address | None:
        """Its first address of the family 4 or 6, or None."""
        return next((a for a in self.addresses if a.version == version), None)

    def another_address(self, version: int) -> Address | None:
        """One that is routed to it and not its own yet, or None."""
        routed = [network for network in self.routed if network.version == version]
        return free_host(routed, map(whole, self.addresses))


@dataclass(frozen=True)
class LabPlan:
    provider: str
    hosts: tuple[Host, ...]
    mail_servers: tuple[MailServer, ...]
    services: tuple[Service, ...]
    subscribers: dict[str, str] = field(hash=False)  # pool or customer name -> host name
    accounts: dict[str, Account] = field(hash=False)  # host name -> its user's account
    pools: tuple[Network, ...] = ()

    @property
    def pages(self) -> str:
        """The name that the provider's pages are found by."""
        return f"portal.{self.provider}.example"

    def host(self, name: str) -> Host:
        """Raises KeyError for a host that is not in the plan."""
        return next((h for h in self.hosts if h.name == name), None) or _unknown(name)

    def subscriber(self, name: str) -> Host:
        """The subscriber host of a pool or of an extra customer."""
        return self.host(self.subscribers[name])

    def who(self, host: str) -> str:
        """The subscriber behind a host, as RADIUS names it: by the account, where it has one."""
        account = self.accounts.get(host)
        return account.name if account else f"{host.removeprefix('sub-')}@{self.provider}.example"

    def lease(self, host: str, session: str, addresses: Iterable[Address]) -> Lease:
        """What the edge reports of a host that has been given these addresses."""
        known = [address for each in self.hosts for home in (each.addresses, *each.later) for address in home]
        return Lease(self.who(host), session, tuple(leased(each, known, self.pools) for each in addresses))

    def leases(self) -> Iterator[Lease]:
        """Of every subscriber, from the start."""
        return (self.lease(host, host, self.host(host).addresses) for host in self.subscribers.values())

    def router(self, name: str) -> str:
        """The edge router that a host is behind, its own provider's; for a host that is behind none, `edge`."""
        uplink = self.host(name).uplink
        return uplink if uplink and uplink != "internet" else "edge"

    def children(self, router: str) -> Iterator[Host]:
        return (h for h in self.hosts if h.uplink == router)

    def behind(self, host: Host) -> Iterator[Network]:
        """Every network that is reached through `host`: what its uplink must route to it."""
        yield from _own_networks(host)
        for child in self.children(host.name):
            yield from self.behind(child)

    def names(self) -> Iterator[tuple[Address, str]]:
        """(address, host name) pairs for the lab's hosts file."""
        servers: tuple[MailServer | Service, ...] = (*self.mail_servers, *self.services)
        for server in servers:
            yield from ((a, name) for a in server.addresses for name in server.names)
        yield from ((a, f"www.{FOREIGN_DOMAIN}") for a in self.host("web").addresses)
        yield from ((a, self.pages) for a in self.host("portal").addresses)


def lab_plan(provider: Provider) -> LabPlan:
    """Raises ValueError for names used twice and for inputs that leave no address free, KeyError for a home
    server, and a further customer, of nobody."""
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
    taken = [*fixed, *(leased(a, (), used) for host in subscribers for a in host.addresses)]
    for further in provider.further:
        subscribers.append(_further(further, pools, taken, reserved))
    around = _hosts_around(own, theirs, lab_networks(used, 4), used)
    hosts = (*around, *subscribers)
    if len({h.name for h in hosts}) < len(hosts):
        raise ValueError(f"{provider.name}: two pools or customers have the same name")
    given = [each.name for some in (provider.pools, provider.customers, provider.further) for each in some]
    users = ["offnet", *(host.name for host in subscribers)]
    accounts = servers.accounts(users, provider.domains, provider.servers)
    by_name = {h.name: h for h in hosts}
    return LabPlan(
        provider.name,
        hosts,
        tuple(_mail_servers(provider, by_name, accounts)),
        servers.services(provider.servers, provider.domains, provider.pop, by_name["foreign"].addresses, _LOOPBACK),
        {name: _host_name(name) for name in given},
        accounts,
        tuple(prefix for prefixes in pools.values() for prefix in prefixes),
    )


def _further(
    further: Further, pools: dict[str, tuple[Network, ...]], taken: list[Network], reserved: Sequence[Network]
) -> Host:
    """Its addresses, now and later, are taken from then on."""
    homes = []
    for _ in range(further.homes):
        home = tuple(_subscriber_addresses(further.pool, pools, taken, reserved))
        taken += [leased(address, (), pools[further.pool]) for address in home]
        homes.append(home)
    return Host(_host_name(further.name), "edge", homes[0], later=tuple(homes[1:]))


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
    own: Iterable[Address],
    theirs: Iterable[Address],
    networks: Sequence[tuple[Network, Network]],
    used: Iterable[Network],
) -> tuple[Host, ...]:
    routers, foreign, web, offnet = networks
    crowd = crowd_networks([*used, *(each for pair in networks for each in pair)])

    def nth(pair: tuple[Network, Network], index: int) -> tuple[Address, ...]:
        return tuple(network[index] for network in pair)

    return (
        Host("internet", None, nth(routers, 1), router=True),
        Host("edge", "internet", nth(routers, 2), router=True),
        Host("otherisp", "internet", nth(routers, 3), router=True),
        Host("offnet", "otherisp", nth(offnet, 1), routed=offnet),
        Host("foreign", "internet", (*nth(foreign, 1), *theirs)),
        Host("web", "internet", nth(web, 1)),
        Host("crowd", "internet", nth(crowd, 1), routed=crowd, anyip=True),
        Host("mail", "edge", tuple(dict.fromkeys(own))),
        Host("radius", "edge", nth(routers, 4)),
        Host("portal", "edge", nth(routers, 5)),
    )


def _mail_servers(provider: Provider, hosts: dict[str, Host], accounts: dict[str, Account]) -> Iterator[MailServer]:
    foreign = hosts["foreign"].addresses
    yield MailServer("foreign", "foreign", (f"mx.{FOREIGN_DOMAIN}",), foreign, (25, 587, 465), (FOREIGN_DOMAIN,))
    if provider.servers:
        yield MailServer(MAILBOXES, "mail", (f"{MAILBOXES}.example",), (_LOOPBACK,), (25,), provider.domains)
    for name in provider.home_servers:
        home = hosts[_host_name(name)]
        yield MailServer(
            home.name, home.name, (f"{home.name}.{HOME_DOMAIN}",), home.addresses, (25,), (HOME_DOMAIN,),
            tuple(map(whole, home.addresses)), servers.reached_from(home.addresses, foreign),
            servers.smart_hosts(accounts.get(home.name), provider.servers), servers.crowd_routes(hosts["crowd"].routed),
        )  # fmt: skip


def _own_networks(host: Host) -> Iterator[Network]:
    yield from map(whole, host.addresses)
    yield from host.routed


def _unknown(name: str) -> Host:
    raise KeyError(name)
