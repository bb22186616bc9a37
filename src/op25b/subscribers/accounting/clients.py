"""Who may send accounting, and the secret shared with each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from op25b.policy.intervals import Prefix

_REMEMBERED = 4096


@dataclass(frozen=True)
class Client:
    """An access server or a proxy, or a network of them. `signs`: it must send Message-Authenticator."""

    prefix: Prefix
    secret: bytes = field(repr=False)
    signs: bool = False


class Clients:
    """By source address; of several prefixes that hold it, the longest counts."""

    def __init__(self, clients: Iterable[Client]) -> None:
        self.replace(clients)

    def replace(self, clients: Iterable[Client]) -> None:
        """From now on these, and no others."""
        self._clients = sorted(clients, key=lambda client: -client.prefix.prefixlen)
        self._known: dict[str, Client | None] = {}

    def of(self, source: str) -> Client | None:
        """The client with this address, as a socket gives it."""
        if source not in self._known:
            if len(self._known) >= _REMEMBERED:  # somebody is making addresses up
                self._known.clear()
            # the zone of a link-local address is the receiver's own matter
            address = ip_address(source.partition("%")[0])
            self._known[source] = next((each for each in self._clients if address in each.prefix), None)
        return self._known[source]
