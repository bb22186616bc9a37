"""Who held an address at the time of an attempt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network

from sqlalchemy import Connection

from op25b.subscribers.leases.history import Period, who_each


@dataclass(frozen=True)
class Held:
    """Who held an address at an instant, and how that is known."""

    subscriber: str
    prefix: str
    source: str
    session: str
    since: datetime


Holders = Callable[[Connection, Sequence[tuple[str, datetime]]], Sequence[Held | None]]
"""Of each (prefix of a source, instant): who held it then, None where nobody is known to have."""


def of_leases(connection: Connection, asked: Sequence[tuple[str, datetime]]) -> list[Held | None]:
    """By the leases. A /64 is its holder's whose lease has its first address: shorter leases, /64 itself."""
    addresses = [(ip_network(prefix).network_address, at) for prefix, at in asked]
    return [_held(answer.holder) for answer in who_each(connection, addresses)]


def _held(each: Period | None) -> Held | None:
    return None if each is None else Held(each.subscriber, each.prefix, each.source, each.session, each.since)
