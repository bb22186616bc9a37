"""The visitor's own address, as trusted proxies report it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from starlette.requests import Request

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Header = Literal["x-forwarded-for", "forwarded"]

_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))\s*(?=;|$)', re.IGNORECASE)
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+)(?::\d+)?")


class Proxies:
    """Whose word is taken, and in which header: a proxy passes on what strangers write into the other one."""

    def __init__(self, trusted: Iterable[Network], header: Header) -> None:
        self._trusted = tuple(trusted)
        self._header = header

    def visitor(self, request: Request) -> Address | None:
        """The address that spoke to the outermost of our proxies (RFC 7239, 5.2); None: they do not tell."""
        found = _address(request.client.host) if request.client else None
        said = [part for line in request.headers.getlist(self._header) for part in line.split(",")]
        while said and found is not None and self._is_ours(found):
            found = self._named(said.pop())
        return found

    def _is_ours(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _named(self, element: str) -> Address | None:
        if self._header == "forwarded":
            pair = _FOR.search(element)
            return None if pair is None else _address(pair[1] or pair[2])
        return _address(element.strip())


def _address(text: str) -> Address | None:
    """An address, maybe with a port or in brackets; one of IPv4 mapped into IPv6 is the IPv4 one."""
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address
