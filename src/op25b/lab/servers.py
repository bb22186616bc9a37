"""Pure: which mail servers a lab has, and its customers' accounts on those of the provider.

The provider's own servers are op25b itself. Behind them is a mailbox server of another make, as providers have one;
foreign servers and those at home are Postfix.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import cycle

from op25b.lab.addresses import Address, Network

FOREIGN_DOMAIN = "foreign.example"
HOME_DOMAIN = "home.example"
CROWD_DOMAINS = ("one.crowd.example", "two.crowd.example", "three.crowd.example", "four.crowd.example")
"""Each with a mail server of its own in the crowd."""
MAILBOXES = "mailboxes"
PASSWORD = "himitsu"
"""Every account's."""


@dataclass(frozen=True)
class OwnServer:
    """A server of the provider: its name in the policy, host names, addresses, and the TCP ports open on it."""

    name: str
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    ports: tuple[int, ...]


@dataclass(frozen=True)
class Account:
    """What a customer writes into the mail program: the user name, which is the mail address too, and the server."""

    name: str
    server: str


@dataclass(frozen=True)
class SmartHost:
    """Where mail with one envelope sender goes instead: to a named host, logged in where there is an account."""

    sender: str
    host: str
    port: int
    account: str | None


@dataclass(frozen=True)
class MailServer:
    """One mail server instance on `host`, named as its mailbox is. It delivers `domains` into one mailbox,
    and relays everything else for clients in `relay_for`, to `relay_to` on port 25, but for the domains in `routes`.
    Port 587 wants STARTTLS, 465 is TLS from the first byte (RFC 8314)."""

    name: str
    host: str
    names: tuple[str, ...]
    addresses: tuple[Address, ...]
    ports: tuple[int, ...]
    domains: tuple[str, ...]
    relay_for: tuple[Network, ...] = ()
    relay_to: Address | None = None
    smart_hosts: tuple[SmartHost, ...] = ()
    routes: tuple[tuple[str, Address], ...] = ()


@dataclass(frozen=True)
class Service:
    """One `op25b serve`: the policy's own server `server`, its certificates' names, where it listens.

    `routes`: the next hop of each domain that anybody in the lab writes to. `pop`: POP log-ins are reported to it.
    """

    name: str
    host: str
    server: str
    names: tuple[str, ...]
    addresses: tuple[Address, ...]
    ports: tuple[int, ...]
    local_domains: tuple[str, ...]
    routes: tuple[tuple[str, Address], ...]
    pop: bool = False


def services(
    servers: Iterable[OwnServer], domains: tuple[str, ...], pop: bool, foreign: tuple[Address, ...], loopback: Address
) -> tuple[Service, ...]:
    """`foreign`: addresses of the foreign server; mail for `domains` goes to the mailboxes at `loopback`. With `pop`
    the mailboxes are read on the first of the servers."""
    found = []
    for index, server in enumerate(servers):
        addresses = tuple(map(ip_address, server.addresses))
        routes = ((FOREIGN_DOMAIN, reached_from(addresses, foreign)), *((domain, loopback) for domain in domains))
        found.append(
            Service(
                f"own{index}", "mail", server.name, server.hosts, addresses, server.ports, domains, routes,
                pop and index == 0,
            )
        )  # fmt: skip
    return tuple(found)


def crowd_routes(networks: Iterable[Network]) -> tuple[tuple[str, Address], ...]:
    """The mail server of each of CROWD_DOMAINS, in the crowd's IPv4 network."""
    network = next(network for network in networks if network.version == 4)
    return tuple((domain, network[-2 - index]) for index, domain in enumerate(CROWD_DOMAINS))


def reached_from(addresses: Iterable[Address], there: Iterable[Address]) -> Address:
    """The first address over there that a host with these addresses can reach, IPv4 before IPv6."""
    mine = {address.version for address in addresses}
    return next(each for each in sorted(there, key=lambda address: address.version) if each.version in mine)


def accounts(hosts: Iterable[str], domains: tuple[str, ...], servers: Iterable[OwnServer]) -> dict[str, Account]:
    """Host name -> the account of its user; the domains in turn. None where no own server takes submission.

    The server's name is the one below the customer's own domain, where there is one (claim S7).
    """
    submission = next((server for server in servers if 587 in server.ports), None)
    if submission is None or not domains:
        return {}
    found = {}
    for host, domain in zip(hosts, cycle(domains), strict=False):
        below = [name for name in submission.hosts if name.endswith(f".{domain}")]
        found[host] = Account(f"{host.removeprefix('sub-')}@{domain}", (below or list(submission.hosts))[0])
    return found


def smart_hosts(account: Account | None, own: Iterable[OwnServer]) -> tuple[SmartHost, ...]:
    """The ways of a home server: mail from `via587@` its domain takes submission, `via25@` the relay port."""
    if account is None:
        return ()
    ports = {port for server in own for port in server.ports}
    ways = ((587, account.name), (25, None))
    return tuple(
        SmartHost(f"via{port}@{HOME_DOMAIN}", account.server, port, name) for port, name in ways if port in ports
    )
