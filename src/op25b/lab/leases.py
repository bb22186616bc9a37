"""Pure: who holds which addresses in the lab, as the edge reports it by RADIUS accounting (RFC 2866, RFC 3162)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from op25b.lab.addresses import Address, Network, whole

EDGE = "edge.lab"
"""The edge's NAS-Identifier."""
_HOME = 64
"""The IPv6 prefix of one line, in bits (RFC 3162 2.3)."""


class Status(StrEnum):
    """Acct-Status-Type."""

    START = "Start"
    STOP = "Stop"


@dataclass(frozen=True)
class Lease:
    """One session of a subscriber: of each family one prefix at most."""

    subscriber: str
    session: str
    prefixes: tuple[Network, ...]


def leased(address: Address, others: Iterable[Address], pools: Iterable[Network]) -> Network:
    """What the holder of an address has: it alone, of IPv6 the /64 where nobody else is in it and a pool is as wide."""
    if address.version == 4:
        return whole(address)
    line = whole(address).supernet(new_prefix=_HOME)
    inside = any(pool.version == 6 and line.subnet_of(pool) for pool in pools)  # type: ignore[arg-type]
    return line if inside and not any(other in line for other in others if other != address) else whole(address)


def accounting(reports: Iterable[tuple[Status, Lease]]) -> str:
    """Accounting-Requests as radclient(1) reads them."""
    return "\n".join(_request(status, lease) for status, lease in reports)


def _request(status: Status, lease: Lease) -> str:
    names: Mapping[int, str] = {4: "Framed-IP-Address", 6: "Framed-IPv6-Prefix"}
    held = {
        names[prefix.version]: str(prefix.network_address if prefix.version == 4 else prefix)
        for prefix in lease.prefixes
    }
    said = {
        "Acct-Status-Type": status,
        "Acct-Session-Id": f'"{lease.session}"',
        "User-Name": f'"{lease.subscriber}"',
        "NAS-Identifier": f'"{EDGE}"',
        **held,
    }
    return "".join(f"{name} = {value}\n" for name, value in said.items())
