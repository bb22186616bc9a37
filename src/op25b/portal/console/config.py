"""The console's table of the service's configuration."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from op25b.policy.model import Network, Port, SingleAddress
from op25b.policy.table import Table
from op25b.portal.staff.roles import STAFF
from op25b.processes.settings import File


def is_confidential(url: str) -> bool:
    """Whether what is sent there cannot be read on the way: https, or no way at all."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or ""))


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if not is_confidential(url) or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"{url!r} is not an https URL; write https://host, or http for this host's own addresses")
    return url


def _checked_roles(roles: tuple[str, ...]) -> tuple[str, ...]:
    if not roles or not set(roles) <= set(STAFF):
        raise ValueError(f"not roles; write some of {', '.join(STAFF)}")
    return roles


Url = Annotated[str, AfterValidator(_checked_url)]
Roles = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_checked_roles)]


class OpenId(Table):
    """The identity service by which staff may log in too (OpenID Connect, code flow with PKCE)."""

    issuer: Url
    client_id: Annotated[str, Field(min_length=1)]
    client_secret_file: File
    scopes: Annotated[tuple[str, ...], Field(strict=False)] = ("openid", "profile", "groups")
    name_claim: str = "preferred_username"
    """Gives the name in the audit trail, up to an @. It must be one that people cannot choose for themselves."""
    groups_claim: str = "groups"
    roles: dict[str, Roles]
    """Which roles a group gives. Who is in none of these groups is not let in."""


class Console(Table):
    """The staff's pages. They speak plain HTTP: beyond this host, a proxy in front of them does the TLS."""

    address: SingleAddress = IPv4Address("127.0.0.1")
    port: Port = 9581
    url: Url = "http://127.0.0.1:9581"
    """What staff call it in their browsers, without a path: the proxy's name, as a rule."""
    key_file: File = Path("/etc/op25b/console-key")
    """The key that the secrets of one-time codes are sealed with; `op25b staff add` makes it."""
    trusted_proxies: tuple[Network, ...] = Field(default=(), strict=False)
    """Which proxies' word is taken for the address that a log-in comes from."""
    proxy_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    """The header field in which they write it."""
    openid: OpenId | None = None

    @model_validator(mode="after")
    def _no_path(self) -> Self:
        if urlsplit(self.url).path not in ("", "/"):
            raise ValueError("url has a path; the console is at the root of a host name of its own")
        return self
