"""The tables of the service's configuration for the lease server."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from op25b.policy.fields import network, single_address
from op25b.policy.intervals import Prefix
from op25b.policy.model import Port, Slug, Table
from op25b.processes.settings import File
from op25b.subscribers.leases.files.entry import Identity

Address = Annotated[IPv4Address | IPv6Address, BeforeValidator(single_address)]


class Listen(Table):
    """One UDP port for RADIUS accounting. On a host with several addresses name one: answers come from it."""

    address: Address
    port: Port = 1813


class Client(Table):
    """Who may send accounting there: an access server, a proxy, or a network of them; the longest prefix counts."""

    prefix: Annotated[Prefix, BeforeValidator(network)]
    secret_file: File
    message_authenticator: bool = False
    """Whether packets without Message-Authenticator are discarded. Where one comes, it must always be right."""


class Http(Table):
    """Where FreeRADIUS posts accounting (`op25b integrate freeradius`)."""

    address: Address = IPv4Address("127.0.0.1")
    """The token and the names of subscribers go over it in clear: this host's, or one that only servers reach."""
    port: Port = 9527
    token_file: File
    """16 characters at least, of A-Z a-z 0-9 - and _."""


class LeaseFile(Table):
    """The lease file of a DHCP server on this host, which is followed as it changes."""

    name: Slug
    """Who reports it, where leases are shown."""
    path: File
    format: Literal["kea", "dnsmasq"]
    """Kea's of the memfile backend (kea-leases4.csv, kea-leases6.csv), or dnsmasq's (dnsmasq.leases)."""
    identity: Identity | None = None
    """By what a subscriber is known; without it by the hardware address, over IPv6 by the DUID."""
    names_file: File | None = None
    """CSV of `identity,subscriber`; an identity that is not in it is the subscriber itself. Read at the start."""


class LeaseServer(Table):
    """Who holds which address now, as the network reports it. How long it is believed and kept is the policy's."""

    subscriber: Literal["User-Name", "Class", "Calling-Station-Id"] = "User-Name"
    """The RADIUS attribute that names the subscriber."""
    listen: tuple[Listen, ...] = Field(default=(), strict=False)
    clients: tuple[Client, ...] = Field(default=(), strict=False)
    http: Http | None = None
    files: tuple[LeaseFile, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.listen and not self.clients:
            raise ValueError("nobody may send to listen; write [[leases.clients]]")
        if not self.listen and self.http is None and not self.files:
            raise ValueError("nothing would bring leases; write [[leases.listen]], [leases.http] or [[leases.files]]")
        names = [file.name for file in self.files]
        if same := next((each for each in names if names.count(each) > 1), None):
            raise ValueError(f"two files have the name {same}; give each its own")
        prefixes = [client.prefix for client in self.clients]
        if twice := next((each for each in prefixes if prefixes.count(each) > 1), None):
            raise ValueError(f"two clients have the prefix {twice}; write it once")
        return self
