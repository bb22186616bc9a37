"""The service's configuration file: what `op25b serve` runs, with which certificates, accounts, spool and limits.

The fields are the keys of the file (examples/service.toml). Whom the service relays for, and how, is the policy's to
say; this file says on which host and within which bounds.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from op25b.errors import UserError
from op25b.policy import load as policy_load
from op25b.policy import syntax
from op25b.policy.faults import Fault
from op25b.policy.fields import network, single_address
from op25b.policy.intervals import Prefix
from op25b.policy.model import Host, Policy, Port, Slug, Table
from op25b.policy.positions import Positions
from op25b.submission.postfix.endpoints import endpoint

File = Annotated[Path, Field(strict=False)]
Address = Annotated[IPv4Address | IPv6Address, BeforeValidator(single_address)]
Endpoint = Annotated[str, AfterValidator(endpoint)]
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
    spool: File = Path("/var/spool/op25b")
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


H = TypeVar("H", bound=Hop)


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


class Health(Table):
    """Where `/healthz` and `/metrics` are."""

    address: Address = IPv4Address("127.0.0.1")
    port: Port = 9525
    relay_port: Port | None = None
    """The same for a relay that runs alone (`op25b serve --only relay`); without it, that one has none."""


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


class Config(Table):
    """The whole file. Relative paths are relative to it."""

    policy: File
    store: str
    """`sqlite:////absolute/path` or `postgresql://user@host/name`."""
    submission: Submission
    relay: Relay = Relay()
    health: Health = Health()
    pop: Pop | None = None
    accounts: Accounts = Accounts()
    postfix: Postfix | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.submission.listen and self.postfix is None:
            raise ValueError("nothing is to be served; write [[submission.listen]], [postfix], or both")
        return self


def load(path: Path) -> Config:
    """Read a configuration. Raises UserError with every fault, `path:line:column: what is wrong; what to write`."""
    try:
        text = syntax.decode(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); give the path of a service's configuration"
        ) from error
    if isinstance(text, Fault):
        raise UserError(text.format(str(path)))
    reading = syntax.read(text)
    faults = list(reading.faults)
    try:
        config = Config.model_validate(reading.document)
    except ValidationError as error:
        where = Positions(reading.text)
        faults += [_fault(each["loc"], each["type"], each["msg"], where) for each in error.errors(include_url=False)]
    if faults:
        raise UserError("\n".join(fault.format(str(path)) for fault in sorted(set(faults))))
    return _absolute(config, path.resolve().parent)


def local_domains(config: Config, policy: Policy) -> list[str]:
    """Domains that strangers may write to, in lower case."""
    brands = [domain for brand in policy.provider.brands for domain in brand.domains]
    return [domain.lower() for domain in (*brands, *config.submission.local_domains)]


def policy_of(config: Config) -> Policy:
    """The policy that a configuration names. Raises UserError with every fault of it."""
    try:
        text = syntax.decode(config.policy.read_bytes())
    except OSError as error:
        raise UserError(
            f"{config.policy}: cannot be read ({error.strerror}); `policy` names the policy file"
        ) from error
    if isinstance(text, Fault):
        raise UserError(text.format(str(config.policy)))
    loaded = policy_load.load(text)
    if loaded.policy is None:
        raise UserError("\n".join(fault.format(str(config.policy)) for fault in loaded.errors))
    return loaded.policy


def _fault(path: tuple[str | int, ...], kind: str, message: str, where: Positions) -> Fault:
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in path)
    if kind == "missing":
        return Fault(*where.value(path[:-1]), f"{key} is missing", "see examples/service.toml")
    if kind == "extra_forbidden":
        return Fault(*where.key(path), f"there is no setting {key}", "see examples/service.toml")
    what, _, mend = message.removeprefix("Value error, ").partition("; ")
    return Fault(*where.value(path), f"{key}: {what}", mend or "see examples/service.toml")


def _absolute(config: Config, folder: Path) -> Config:
    submission = config.submission
    pairs = tuple(
        KeyPairFiles(certificate=folder / pair.certificate, key=folder / pair.key) for pair in submission.certificates
    )
    changes = {"spool": folder / submission.spool, "certificates": pairs}
    return config.model_copy(
        update={
            "policy": folder / config.policy,
            "submission": submission.model_copy(update=changes),
            "relay": _absolute_relay(config.relay, folder),
            "pop": _absolute_pop(config.pop, folder) if config.pop else None,
            "accounts": _absolute_accounts(config.accounts, folder),
        }
    )


def _absolute_relay(relay: Relay, folder: Path) -> Relay:
    keys = tuple(each.model_copy(update={"key": folder / each.key}) for each in relay.dkim)
    routes = tuple(_absolute_hop(each, folder) for each in relay.routes)
    smart_host = _absolute_hop(relay.smart_host, folder) if relay.smart_host else None
    return relay.model_copy(update={"dkim": keys, "routes": routes, "smart_host": smart_host})


def _absolute_pop(pop: Pop, folder: Path) -> Pop:
    return pop.model_copy(update={"secret_file": folder / pop.secret_file})


def _absolute_accounts(accounts: Accounts, folder: Path) -> Accounts:
    return accounts.model_copy(update={"dovecot": folder / accounts.dovecot}) if accounts.dovecot else accounts


def _absolute_hop(hop: H, folder: Path) -> H:
    return hop.model_copy(update={"password_file": folder / hop.password_file}) if hop.password_file else hop
