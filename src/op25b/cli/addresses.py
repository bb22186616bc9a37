"""Addresses as people and flow records write them, one way for single questions and for columns."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address

from op25b.policy.intervals import Address

_MAPPED = b"\0" * 10 + b"\xff" * 2


def packed(text: str) -> bytes:
    """The 4 or 16 bytes of an address; raises ValueError when it is none.

    An IPv4 address mapped into IPv6 (RFC 4291, section 2.5.5.2) is the IPv4 address.
    """
    try:
        if ":" not in text:
            return socket.inet_pton(socket.AF_INET, text)
        found = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        raise ValueError(f"{text!r} is not an address; write one such as 192.0.2.25 or 2001:db8::25") from None
    return found.removeprefix(_MAPPED)


def address(text: str) -> Address:
    """The address; raises ValueError when it is none."""
    found = packed(text)
    return IPv4Address(found) if len(found) == 4 else IPv6Address(found)
