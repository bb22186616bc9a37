"""What the service's configuration says of mail: certificates, accounts, spool, limits, and how mail leaves.

Whom the service relays for, and how, is the policy's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from op25b.policy.fields import network, single_address
from op25b.policy.intervals import Prefix
from op25b.policy.model import Host, Policy, Port, Slug, Table
from op25b.processes.settings import File
from op25b.submission.postfix.endpoints import endpoint

Address = Annotated[IPv4Address | IPv6Address, BeforeValidator(single_address)]
Endpoint = Annotated[str, AfterValidator(endpoint)]
SPOOL = Path("/var/spool/op25b")
"""Where mail lies unless the configuration says otherwise."""
Count = Annotated[int, Field(ge=0)]
"""0: no limit."""


class Listen(Table):
    """One address and port. `tls`: `starttls` (587, 25) or `implicit` (465). `role`: `relay` is for port 25."""

    address: Address
    port: Port
    tls: Literal["starttls", "implicit"] = "starttls"
    role: Literal["submission", "relay"] = "submission"


class KeyPairFiles(Table):
    """PEM files. The first pair in the list serves clients that name no host, or one that no certificate covers."""

    certificate: File
    key: File


class AddressCaps(Table):
    """For each client address (IPv6: /64); the numbers an hour are for clients without an account, on port 25."""

    connections: Count = 100
    messages_per_hour: Count = 1000
    recipients_per_hour: Count = 5000
    rejected_per_hour: Count = 200


class AccountCaps(Table):
    """For each account, unless the account has limits of its own."""

    connections: Count = 20
    messages_per_hour: Count = 500
    messages_per_day: Count = 3000
    recipients_per_hour: Count = 2000
    recipients_per_day: Count = 10000
    rejected_per_hour: Count = 100


class Stolen(Table):
    """What looks like a stolen password; what an account sends then is taken and held for the operator."""

    recipients: Count = 1000
    """Within 10 minutes."""
    networks: Count = 10
    """Networks (IPv4 addresses, IPv6 /56) that the account sent from within an hour."""


class Caps(Table):
    """Bounds, each with a reply of its own; see docs/reference."""

    connections: Annotated[int, Field(ge=1)] = 20000
    """Of all clients together. Over four fifths of it, those that are not logged in may be idle for 10 seconds only."""
    address: AddressCaps = AddressCaps()
    account: AccountCaps = AccountCaps()
    stolen: Stolen = Stolen()
    idle_seconds: Annotated[int, Field(ge=1)] = 300
    """Between commands (RFC 5321 4.5.3.2.7 asks for 5 minutes). Bytes that make up no command do not count."""
    slowest: Annotated[int, Field(ge=0)] = 100
    """Octets a second that a message must come at, over each `slow_seconds`."""
    slow_seconds: Annotated[int, Field(ge=1)] = 60
    size: Annotated[int, Field(ge=65536)] = 50 * 1024 * 1024
    recipients: Annotated[int, Field(ge=100)] = 1000
    """Of one message (RFC 5321 4.5.3.1.8: 100 at least)."""
    header: Annotated[int, Field(ge=4096)] = 256 * 1024
    """Octets of a message's header."""
    memory: Annotated[int, Field(ge=1 << 20)] = 64 << 20
    """Octets of messages that one worker holds; beyond it, it stops reading until the spool has caught up."""
    tarpit_after: Count = 3
    """Refused recipients of one session from which on each further one is answered late; up to 20 seconds."""


class Submission(Table):
    """The way out."""

    hostname: Host
    """This host's name in the greeting, in EHLO, in Received fields and in bounces."""
    server: Slug
    """Which of the policy's own servers this is."""
    spool: File = SPOOL
    listen: tuple[Listen, ...] = Field(default=(), strict=False)
    """None on a host where Postfix takes the mail; see `postfix`."""
    certificates: tuple[KeyPairFiles, ...] = Field(strict=False, min_length=1)
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Processes that serve clients; 0: one for each processor."""
    local_domains: tuple[Host, ...] = Field(default=(), strict=False)
    """Domains that strangers may write to on port 25, beside those of the policy's brands."""
    local_recipients: Literal["accounts", "ask"] = "accounts"
    """How it is known which mailboxes there are, before strangers' mail to the local domains is taken on port 25:
    `accounts`: names and senders of the accounts in the store; `ask`: the domain's relay.routes host is asked."""
    scram: bool = True
    """Whether SCRAM is offered beside PLAIN and LOGIN. An account that was taken over has no keys for it until it has
    logged in by one of these: where many have none, clients that do not fall back are better off without the offer."""
    auth_without_tls: bool = False
    hide_customers: bool = True
    """Whether the Received field keeps back the customer's address and host name; the logs and the spool have both."""
    binarymime: bool = False
    """Whether BINARYMIME (RFC 3030) is offered. Set it where every next hop takes it: a client that is not offered it
    encodes its message so that all can, and what was taken as BINARYMIME bounces (5.6.3) at a host without it."""
    drain_seconds: Annotated[int, Field(ge=0)] = 30
    """How long a stop waits for messages that are on their way in."""
    limits: Caps = Caps()


class Hop(Table):
    """A host that mail is handed to; with a user name, only over verified TLS and logged in."""

    host: Host
    port: Port = 25
    tls: Literal["opportunistic", "encrypted", "verified"] = "opportunistic"
    """Opportunistic: where it is offered and works. Encrypted: mail waits rather than go in clear. Verified: for the
    host's name, by an authority that this system trusts."""
    implicit_tls: bool = False
    """TLS from the first byte, as on port 465."""
    username: str | None = None
    """At the next hop: SCRAM-SHA-256 if it is offered, else PLAIN or LOGIN."""
    password_file: File | None = None


class Route(Hop):
    """The host for one domain, such as that of the provider's own mailboxes."""

    domain: Host


class DkimKey(Table):
    """A key that signs mail whose From is in this domain: Ed25519 or RSA, a PEM file."""

    domain: Host
    selector: Host
    key: File


class Relay(Table):
    """How mail leaves: by its domain's route, else to the smart host, else by MX."""

    connections: Annotated[int, Field(ge=4, le=10000)] = 500
    """At once, to all destinations together; those that never answered have three quarters of them at most."""
    connections_per_destination: Annotated[int, Field(ge=1, le=1000)] = 20

    smart_host: Hop | None = None
    """Where mail goes that has no route; without it, to its domain's MX."""
    routes: tuple[Route, ...] = Field(default=(), strict=False)
    dkim: tuple[DkimKey, ...] = Field(default=(), strict=False)


class Postfix(Table):
    """What op25b is for a Postfix on this host: its SASL server, its policy server, or both; see docs/postfix.md.

    An endpoint is the path of a Unix socket, or `127.0.0.1:10025`, `[::1]:10025`.
    """

    auth: Endpoint | None = None
    policy: Endpoint | None = None
    group: str = "postfix"
    """Whose members may connect to Unix sockets: the group that Postfix runs as."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.auth is None and self.policy is None:
            raise ValueError("neither auth nor policy is there; write one, or both")
        return self


class Pop(Table):
    """POP before SMTP: where Dovecot reports who logged in (`op25b integrate dovecot`). How long that counts is the
    policy's `pop_minutes`; where the policy refuses POP before SMTP, reports change nothing."""

    address: Address = IPv4Address("127.0.0.1")
    """Dovecot sends the secret in clear: this host's, or one in a network that only servers are in."""
    port: Port = 9526
    secret_file: File
    """What Dovecot's URL ends in: 16 characters at least, of A-Z a-z 0-9 - and _."""
    not_from: tuple[Annotated[Prefix, BeforeValidator(network)], ...] = Field(
        default=(ip_network("127.0.0.0/8"), ip_network("::1/128")), strict=False
    )
    """Where a log-in opens nothing, because all customers come from there: the webmail, a proxy. The policy's own
    servers need not be named."""


class Accounts(Table):
    """Accounts beside those of the store."""

    dovecot: File | None = None
    """The auth socket of a running Dovecot (`op25b integrate dovecot`), asked for names that the store does not have.
    SCRAM is not offered then: its server must have keys of every account."""


@dataclass(frozen=True)
class Config:
    """All that the way out needs of the configuration."""

    policy: Path
    store: str
    submission: Submission
    relay: Relay
    pop: Pop | None
    accounts: Accounts
    postfix: Postfix | None


def local_domains(config: Config, policy: Policy) -> list[str]:
    """Domains that strangers may write to, in lower case."""
    brands = [domain for brand in policy.provider.brands for domain in brand.domains]
    return [domain.lower() for domain in (*brands, *config.submission.local_domains)]
