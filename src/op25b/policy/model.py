"""The policy: one provider's words, servers, pools, phases and exemptions, as the file states them.

The fields are the keys of the policy file (docs/reference/policy.md is generated from them). Every object
is frozen. A policy that exists is well formed field by field; what must hold between the fields
is checked where the file is loaded (`op25b.policy.load`).
"""

from __future__ import annotations

import re
from datetime import date, time
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from op25b.policy.credentials import Credentials
from op25b.policy.doctor import Doctor
from op25b.policy.fields import (
    closed_day,
    country_code,
    filter_port,
    host_name,
    network,
    port,
    single_address,
    slug,
    zone,
)
from op25b.policy.incoming import Incoming
from op25b.policy.information import Information
from op25b.policy.leases import Leases
from op25b.policy.period import Instant as Instant
from op25b.policy.period import Period as Period
from op25b.policy.table import Table as Table
from op25b.policy.table import Words as Words
from op25b.policy.terms import ExemptionTerms
from op25b.policy.watching import Watch

Slug = Annotated[str, AfterValidator(slug)]
Host = Annotated[str, AfterValidator(host_name)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(network)]
SingleAddress = Annotated[IPv4Address | IPv6Address, BeforeValidator(single_address)]
Port = Annotated[int, AfterValidator(port)]


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Hours(Table):
    """When the provider's desks answer, in the provider's time zone."""

    days: tuple[Annotated[Weekday, Field(strict=False)], ...] = Field(strict=False, min_length=1)
    opens: time
    closes: time
    holidays: Literal["closed", "open"] = "closed"
    """Whether the desk is closed on the public holidays of the provider's country."""
    closed: tuple[Annotated[str, AfterValidator(closed_day)], ...] = Field(default=(), strict=False)
    """Days of the year closed besides: `MM-DD` or `MM-DD/MM-DD`, both ends included, over the new year too."""


class ContactKind(StrEnum):
    TELEPHONE = "telephone"
    FAX = "fax"
    MAIL = "mail"
    WEB = "web"


class Contact(Table):
    """A way to reach the provider. `taken`: when a call or message is taken; answers come in hours."""

    kind: Annotated[ContactKind, Field(strict=False)]
    address: str
    taken: Literal["hours", "always"] = "hours"


class Brand(Table):
    """A name under which the provider sells, with the mail domains that belong to it."""

    name: Slug
    display: Words
    domains: tuple[Host, ...] = Field(default=(), strict=False)
    incoming: tuple[Incoming, ...] = Field(default=(), strict=False)


class Provider(Table):
    """Who runs the network."""

    name: Slug
    display: Words
    time_zone: Annotated[str, AfterValidator(zone)]
    country: Annotated[str, AfterValidator(country_code)] = "JP"
    """Whose public holidays the desk keeps: ISO 3166-1 alpha-2, such as `JP`."""
    brands: tuple[Brand, ...] = Field(default=(), strict=False)
    hours: Hours | None = None
    contacts: tuple[Contact, ...] = Field(default=(), strict=False)


class OwnServer(Table):
    """A mail server that the provider designates.

    `ports` are the ports open to the provider's customers: 25 in the list means that covered customers
    still reach this server on 25 (claims L4, N7, I8).
    """

    name: Slug
    hosts: tuple[Host, ...] = Field(strict=False, min_length=1)
    """Names of the server; `{subdomain}` stands for the sub-domain of a customer's address (claim S7)."""
    addresses: tuple[SingleAddress, ...] = Field(strict=False, min_length=1)
    ports: tuple[Port, ...] = Field(strict=False, min_length=1)
    submission_since: date | None = None

    def is_called(self, name: str) -> bool:
        """Whether one of its hosts, where `{subdomain}` stands for any one label (claim S7), is this name."""
        patterns = (re.escape(host.lower()).replace(r"\{subdomain\}", "[^.]+") for host in self.hosts)
        return any(re.fullmatch(pattern, name.lower().removesuffix(".")) for pattern in patterns)


class Assignment(StrEnum):
    DYNAMIC = "dynamic"
    STATIC = "static"


class Pool(Table):
    """Prefixes with one meaning. What is not said is None and matches no scope that asks for it."""

    name: Slug
    prefixes: tuple[Network, ...] = Field(strict=False, min_length=1)
    line: Slug | None = None
    region: Slug | None = None
    assignment: Annotated[Assignment, Field(strict=False)] | None = None
    contract: str | None = None


class Scope(Table):
    """Which pools a phase is for. Every key that is there must hold; no key at all means everyone.

    `not_` keys exclude: a pool that does not say its region is not in an excluded region.
    """

    pools: tuple[Slug, ...] | None = Field(default=None, strict=False)
    lines: tuple[Slug, ...] | None = Field(default=None, strict=False)
    regions: tuple[Slug, ...] | None = Field(default=None, strict=False)
    assignments: tuple[Annotated[Assignment, Field(strict=False)], ...] | None = Field(default=None, strict=False)
    contracts: tuple[str, ...] | None = Field(default=None, strict=False)
    not_pools: tuple[Slug, ...] = Field(default=(), strict=False)
    not_lines: tuple[Slug, ...] = Field(default=(), strict=False)
    not_regions: tuple[Slug, ...] = Field(default=(), strict=False)
    not_contracts: tuple[str, ...] = Field(default=(), strict=False)


class Mode(StrEnum):
    ANNOUNCE = "announce"
    MONITOR = "monitor"
    ENFORCE = "enforce"


class Phase(Table):
    """From when until when a scope of pools is announced, monitored or enforced.

    No `from` means always. A tentative phase is announced and nothing else, whatever its mode, until
    its date is fixed (claim N2).
    """

    name: Slug
    scope: Scope
    mode: Annotated[Mode, Field(strict=False)]
    from_: Instant | None = Field(default=None, alias="from")
    until: Instant | None = None
    tentative: bool = False
    expected: Words | None = None
    """How a tentative date is put into words, 'mid-January 2011'."""
    settings_period: Period | None = None
    """When customers are asked to change their settings (claim N3)."""
    remind_days: tuple[Annotated[int, Field(ge=1, le=365)], ...] = Field(default=(14,), strict=False)
    """How many days before the end of the settings period, or before `from`, reminders are due."""
    ports: tuple[Annotated[int, AfterValidator(filter_port)], ...] = Field(default=(25,), strict=False, min_length=1)


class Exemption(Table):
    """A dated, reasoned exception for sources, for destinations, or for those sources to those destinations."""

    name: Slug
    prefixes: tuple[Network, ...] = Field(default=(), strict=False)
    destinations: tuple[Network, ...] = Field(default=(), strict=False)
    reason: str = Field(min_length=1)
    from_: Instant | None = Field(default=None, alias="from")
    until: Instant | None = None
    review: date | None = None


class Refuse(StrEnum):
    TCP_RESET = "tcp-reset"
    ICMP = "icmp"
    DROP = "drop"


BlockOrLeave = Literal["block", "leave"]


class Filter(Table):
    """How the filter refuses, and what it does about the ways round it."""

    refuse: Annotated[Refuse, Field(strict=False)] = Refuse.TCP_RESET
    tunnels: BlockOrLeave = "block"
    """TCP to port 25 inside plain 6in4, IPIP and GRE tunnels from covered sources."""
    fragments: BlockOrLeave = "block"
    """First IPv6 fragments from covered sources that hide their TCP header (RFC 7112)."""
    log_group: int | None = Field(default=25, ge=0, le=65535)
    """NFLOG group for refused and monitored attempts; absent in the file means 25."""
    log_rate: int = Field(default=1000, ge=1, le=1_000_000)
    """At most so many log records a second; counters count all."""
    exempt_size: int = Field(default=65536, ge=0, le=1 << 24)
    """Exempt prefixes of each length that the filter has room for besides the policy's own; 0: it takes none."""


class PopBeforeSmtp(StrEnum):
    REQUIRED = "required"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Submission(Table):
    """What the provider's own sending servers ask of their users."""

    pop_before_smtp: Annotated[PopBeforeSmtp, Field(strict=False)] = PopBeforeSmtp.REFUSED
    """For relaying on port 25 from outside the provider's network (claims S6, I13)."""
    pop_minutes: int = Field(default=10, ge=1, le=1440)
    trace_days: int = Field(default=90, ge=0, le=3650)
    """How long it is kept who sent a message, from which address and to whom; 0: no longer than the mail is there."""


class Policy(Table):
    """The whole policy file. Order within `phases` decides nothing but names: the strongest phase wins."""

    provider: Provider
    own_servers: tuple[OwnServer, ...] = Field(default=(), strict=False)
    pools: tuple[Pool, ...] = Field(default=(), strict=False)
    phases: tuple[Phase, ...] = Field(default=(), strict=False)
    exemptions: tuple[Exemption, ...] = Field(default=(), strict=False)
    filter: Filter = Filter()
    submission: Submission = Submission()
    home_servers: Literal["refused", "smart-host"] = "refused"
    """What a customer who runs a mail server at home is told (claims F5, S5, I8); companies: see exemptions."""
    exemption_terms: ExemptionTerms = ExemptionTerms()
    watch: Watch = Watch()
    leases: Leases = Leases()
    information: Information = Information()
    credentials: Credentials = Credentials()
    doctor: Doctor = Doctor()

    def own_servers_called(self, name: str) -> list[OwnServer]:
        """The provider's own servers that have this name."""
        return [server for server in self.own_servers if server.is_called(name)]
