"""dnsmasq's lease file: the leases that there are, written anew at each change. Pure.

A line of IPv4 is `expiry hardware-address address name client-id`, one of IPv6 `expiry iaid address name duid`
(dnsmasq's lease.c); `*` stands for what is not known, and expiry 0 for a lease without end.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from op25b.subscribers.leases.facts import FOREVER, canonical
from op25b.subscribers.leases.files.entry import Entry, Identity

_OTHER = ("duid", "vendorclass", "agent-info")
"""First words of lines that are not leases: the server's DUID, and what clients and relays said."""
_EXPIRY = re.compile(r"[0-9]{1,12}")


def entry(line: str, at: datetime) -> Entry | None:
    """What a line of a file that was written at `at` says; None if it is not about a lease. Raises ValueError."""
    fields = line.split(" ")
    if not line or fields[0] in _OTHER:
        return None
    if len(fields) != 5:
        raise ValueError(f"it has {len(fields)} fields; a lease has 5")
    expiry, hardware, address, _, client = fields
    if not _EXPIRY.fullmatch(expiry):
        raise ValueError(f"{expiry[:20]!r} is not a time in seconds")
    until = FOREVER if int(expiry) == 0 else datetime.fromtimestamp(int(expiry), UTC)
    prefix = canonical(address)
    own: dict[Identity, str] = {"duid": client} if ":" in prefix else {"hw-address": hardware, "client-id": client}
    known_as = {identity: text.lower() for identity, text in own.items() if text != "*"}
    return Entry(known_as, prefix, at, until, held=True)
