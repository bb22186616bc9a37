"""The customers' pages' table of the service's configuration."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from op25b.policy.model import Network, Port, SingleAddress
from op25b.policy.table import Table
from op25b.processes.settings import File
from op25b.subscribers.credentials.pop_login import PopServer


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError(
            f"{text!r} is not the address of a whole site; write it as visitors do: https://portal.example.net"
        )
    return text.rstrip("/")


class Signing(Table):
    """What configuration profiles for Apple's programs are signed with, so that devices show whose they are."""

    certificate: File
    """PEM, with those that lead to its root after it."""
    key: File
    """PEM, RSA or EC. Not that of a TLS server: the process of the pages reads it."""


class Portal(Table):
    """The customers' pages. It speaks plain HTTP: beyond this host, a proxy in front of it does the TLS."""

    url: Annotated[str, AfterValidator(_url)]
    """What visitors write to come here, as in `https://portal.example.net`: forms are taken from there only."""
    addresses: tuple[SingleAddress, ...] = Field(default=(IPv4Address("127.0.0.1"),), strict=False, min_length=1)
    """Where visitors come in. Without a proxy that tells their addresses, one of IPv4 and one of IPv6."""
    port: Port = 9580
    trusted_proxies: tuple[Network, ...] = Field(default=(), strict=False)
    """Which proxies' word is taken for the visitor's address, as in `["127.0.0.1/32", "::1/128"]`."""
    proxy_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    """The header field in which they write it; the other one is not looked at, as strangers may have written it."""
    signing: Signing | None = None
    pop: PopServer | None = None
    """Where customers' POP passwords are checked before they are given credentials; without it, they are those of the
    accounts in the store."""
