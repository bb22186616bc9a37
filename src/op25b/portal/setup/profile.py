"""What a mail program must be told so that it can send, and read, mail of one domain. Pure.

Everything here follows from the policy and the part of an address after the @. Whether such an address exists plays
no part, so that no answer tells (RFC 9051, 11.7, has the same care for log-ins).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from op25b.answers.remedies import submission_servers
from op25b.policy.fields import SUBDOMAIN
from op25b.policy.incoming import Incoming, Security
from op25b.policy.model import Brand, OwnServer, Policy

SECURITY = {587: Security.STARTTLS, 465: Security.TLS}
"""The ports of submission, the one that pages name first (claims L9, I1): RFC 6409 with RFC 3207; RFC 8314, 3.3."""
LONGEST = 254
"""Octets of an address (RFC 5321, 4.5.3.1.3, less the angle brackets)."""
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LOCAL = re.compile(r"[^\s@<>\"(),:;\\\[\]\x00-\x20\x7f]{1,64}")

UserName = Literal["mail-address", "local-part", "told"]
"""The mail address, the part before the @, or one that the customer was told and nobody can work out."""


@dataclass(frozen=True)
class Address:
    """A mail address; `local` is as it was written, `domain` in lower case."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


@dataclass(frozen=True)
class Server:
    """A server to connect to, and how the connection is protected."""

    host: str
    port: int
    security: Security


@dataclass(frozen=True)
class Receiving(Server):
    """A server from which mail is read."""

    kind: Literal["imap", "pop3"]
    user_name: UserName


@dataclass(frozen=True)
class Profile:
    """The settings for the addresses of one domain; of the servers to send through, and to read from, best first."""

    brand: Brand
    domain: str
    apex: str
    """The brand's domain that `domain` is, or is under."""
    sending: tuple[Server, ...]
    user_name: UserName
    receiving: tuple[Receiving, ...]

    def with_security(self, security: Security) -> Server:
        """The server to send through for a program that wants this protection, or else the best one."""
        return next((server for server in self.sending if server.security is security), self.sending[0])


def own_submission(policy: Policy) -> OwnServer | None:
    """The own server to send through: the first in the policy that takes submission, as the answers say too."""
    return next(iter(submission_servers(policy)), None)


def profile(policy: Policy, domain: str) -> Profile | None:
    """The settings for a domain; None if it is not ours, or lacks the sub-domain that is needed (claim S7)."""
    server, found = own_submission(policy), _of_brand(policy, domain)
    if server is None or found is None:
        return None
    brand, apex = found
    incoming = [(each, _filled(each.host, domain, apex)) for each in brand.incoming]
    host = _filled(server.hosts[0], domain, apex)
    if host is None or any(name is None for _, name in incoming):
        return None
    return Profile(
        brand,
        domain,
        apex,
        tuple(Server(host, port, security) for port, security in SECURITY.items() if port in server.ports),
        _user_name(policy, brand.incoming),
        tuple(Receiving(name, each.port, each.security, each.kind, each.user_name) for each, name in incoming if name),
    )


def needs_subdomain(policy: Policy, brand: Brand) -> bool:
    """Whether an address must be known to its sub-domain before there are settings for it."""
    server = own_submission(policy)
    hosts = [*(server.hosts[:1] if server else ()), *(each.host for each in brand.incoming)]
    return any(SUBDOMAIN in host for host in hosts)


def user_name(form: UserName, address: Address) -> str | None:
    """The user name of an address, None where only the customer knows it."""
    return {"mail-address": str(address), "local-part": address.local, "told": None}[form]


def address(text: str) -> Address | None:
    """An address as people type it; None for what is none."""
    local, _, domain = text.strip().rpartition("@")
    found = domain_name(domain)
    return Address(local, found) if found and len(text) <= LONGEST and _LOCAL.fullmatch(local) else None


def domain_name(text: str) -> str | None:
    """A domain, in lower case; None for what is none (RFC 1123, 2.1). Of a whole address it is the part after the @."""
    name = text.strip().rpartition("@")[2].lower().removesuffix(".")
    labels = name.split(".")
    return name if len(text) <= LONGEST and len(labels) > 1 and all(map(_LABEL.fullmatch, labels)) else None


def _of_brand(policy: Policy, domain: str) -> tuple[Brand, str] | None:
    """The brand of a domain, and which domain of the brand it is under: the longest."""
    owned = [(brand, apex.lower()) for brand in policy.provider.brands for apex in brand.domains]
    under = [(brand, apex) for brand, apex in owned if domain == apex or domain.endswith(f".{apex}")]
    return max(under, key=lambda found: len(found[1]), default=None)


def _filled(host: str, domain: str, apex: str) -> str | None:
    """A host's name with the sub-domain of the address; a sub-domain is one label."""
    if SUBDOMAIN not in host:
        return host
    label = domain.removesuffix(apex).removesuffix(".")
    return host.replace(SUBDOMAIN, label) if _LABEL.fullmatch(label) else None


def _user_name(policy: Policy, incoming: tuple[Incoming, ...]) -> UserName:
    match policy.credentials.user_name:
        case "mail-address":
            return "mail-address"
        case "pop-account":
            return incoming[0].user_name if incoming else "told"
        case "issued":
            return "told"
