"""Who held an address at the time of an attempt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import ip_network

from sqlalchemy import Connection

from op25b.subscribers.leases.history import Period, who_each

Holders = Callable[[Connection, Sequence[tuple[str, datetime]]], Sequence[Period | None]]
"""Of each (prefix of a source, instant): who held it then, None where nobody is known to have."""


def of_leases(connection: Connection, asked: Sequence[tuple[str, datetime]]) -> list[Period | None]:
    """By the leases. A /64 is its holder's whose lease has its first address: shorter leases, /64 itself."""
    addresses = [(ip_network(prefix).network_address, at) for prefix, at in asked]
    return [answer.holder for answer in who_each(connection, addresses)]
