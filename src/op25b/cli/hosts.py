"""The destination of a question: an address, an own server's name, or a name that the resolver knows."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from op25b.cli.addresses import address
from op25b.errors import UserError
from op25b.policy.fields import host_name
from op25b.policy.intervals import Address
from op25b.policy.model import Policy
from op25b.policy.places import Place, destinations

Lookup = Callable[[str], list[Address]]
"""Addresses of a name, of both families; none when it does not resolve."""


@dataclass(frozen=True)
class Destinations:
    """Where a question goes to: addresses of one family, and what the asker must know about them."""

    addresses: list[Address]
    name: str | None = None
    note: str | None = None


def system_lookup(name: str) -> list[Address]:
    """Ask the system's resolver."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(address(str(entry[4][0]).partition("%")[0]) for entry in found))


def find(policy: Policy, text: str, version: int, lookup: Lookup) -> Destinations:
    """The destinations that `text` names, for a source of the family `version`.

    Raises UserError for what is neither an address nor a name, and for a name without an address of that family.
    """
    if ":" in text or re.fullmatch(r"[0-9.]+", text):
        try:
            return Destinations([address(text)])
        except ValueError as error:
            raise UserError(f"--to {error}") from None
    name = text.removesuffix(".").lower()
    try:
        host_name(name)
    except ValueError as error:
        raise UserError(f"--to {error}") from None
    own = policy.own_servers_called(name)
    known = [each for server in own for each in server.addresses] or lookup(name)
    if not known:
        note = f"{name} cannot be resolved; judged as a server outside the policy"
        return Destinations([_elsewhere(policy, version, name)], name, note)
    found = [each for each in known if each.version == version]
    if not found:
        raise UserError(f"--to {name} has no IPv{version} address; write a --from of the other family")
    return Destinations(found, name)


def _elsewhere(policy: Policy, version: int, name: str) -> Address:
    """An address that the policy says nothing about."""
    places = destinations(policy)
    table = places.v4 if version == 4 else places.v6
    for start, number in zip(table.starts, table.numbers, strict=True):
        if places.known[number] == Place():
            return IPv4Address(start) if version == 4 else IPv6Address(start)
    raise UserError(f"--to {name} cannot be resolved; write an address")
