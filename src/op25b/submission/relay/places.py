"""Where a destination is, and a connection to the first of its hosts that answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from op25b.submission.relay import mx
from op25b.submission.relay.connect import Connection, Contexts, Target, Unreachable, connect
from op25b.submission.relay.outcome import Result, failed
from op25b.submission.relay.settings import NextHop, Settings, Tls
from op25b.submission.relay.slots import Slots

MAX_ADDRESSES = 8
"""Addresses tried for one message before it is deferred."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a destination is: a next hop that was configured, or a domain to ask MX for. `secure`: REQUIRETLS."""

    domain: str
    hop: NextHop | None
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all destinations share. `shuffle` orders mail hosts of equal preference."""

    settings: Settings
    resolver: mx.Resolver
    tls: Contexts
    clock: Callable[[], datetime]
    shuffle: Callable[[list[str]], None]
    slots: Slots


async def reach(
    place: Place, around: Surroundings, *, hurried: bool = False, other_than: str | None = None
) -> Connection:
    """A connection to the first address that answers, of another host than one. Raises NoRoute or Unreachable."""
    timeouts = around.settings.timeouts.hurried() if hurried else around.settings.timeouts
    last: Unreachable | None = None
    tried = 0
    loop = asyncio.get_running_loop()
    too_late = loop.time() + timeouts.opening
    async for target in _targets(place, around):
        if target.name == other_than:
            continue
        if tried == MAX_ADDRESSES or (tried and loop.time() > too_late):
            break
        tried += 1
        try:
            return await connect(target, around.settings.name, around.tls, timeouts)
        except Unreachable as error:
            # a host that may answer later outweighs those that never will
            if last is None or last.outcome.result is Result.FAILED:
                last = error
    if last is None:
        raise mx.NoRoute(failed("5.4.4", f"{place.domain} has no host to send to"))
    if place.secure and last.outcome.status == "4.7.5":
        raise Unreachable(failed("5.7.30", f"REQUIRETLS was asked for: {last.outcome.text}", last.outcome.remote))
    raise last


async def _targets(place: Place, around: Surroundings) -> AsyncIterator[Target]:
    """Where to connect to, in the order of trying. Raises NoRoute."""
    hop, domain = place.hop, place.domain
    if hop is not None:
        tls = Tls.VERIFIED if place.secure else hop.tls
        async for name, address in mx.reachable([hop.host], around.resolver):
            yield Target(name, address, hop.port, tls, hop.implicit_tls, hop.username, hop.password)
        return
    literal = mx.literal(domain)
    if literal is not None:
        found = mx.Hosts((literal,), False)
    elif domain.startswith("["):
        raise mx.NoRoute(failed("5.1.2", f"{domain} is not an address"))
    else:
        found = await mx.hosts(domain, around.resolver, around.shuffle, around.settings.names)
    if place.secure and not (found.secure and around.settings.dnssec):
        # RFC 8689 4.2.1: hosts that anybody could have put in the answer do not do
        raise mx.NoRoute(failed("5.7.30", f"REQUIRETLS was asked for, and the MX of {domain} is not signed"))
    tls = Tls.VERIFIED if place.secure else Tls.OPPORTUNISTIC
    async for name, address in mx.reachable(found.names, around.resolver):
        yield Target(name, address, around.settings.mx_port, tls)
