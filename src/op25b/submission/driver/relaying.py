"""The relay as a process of the service: what the workers put into the spool, it hands on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime

import dns.asyncresolver
import dns.resolver
import uvloop

from op25b.errors import UserError
from op25b.submission.config import Config, Hop, Submission
from op25b.submission.config import Relay as RelayConfig
from op25b.submission.driver import logs
from op25b.submission.driver.stopping import until_told
from op25b.submission.relay.connect import contexts
from op25b.submission.relay.destination import Surroundings
from op25b.submission.relay.dkim import Signer, load_key
from op25b.submission.relay.runner import Clockwork, Relay
from op25b.submission.relay.settings import NextHop, Settings, Tls
from op25b.submission.spool import Origin, Reader, Spool
from op25b.submission.spool.reader import Marker

GRACE_SECONDS = 10.0
Nowhere = Callable[[Origin], object]


def read(relay: RelayConfig, submission: Submission) -> tuple[Settings, Signer]:
    """What the configuration says, with its files read. Raises UserError for what cannot be used."""
    settings = Settings(
        submission.hostname,
        routes={route.domain.lower(): _hop(route) for route in relay.routes},
        smart_host=_hop(relay.smart_host) if relay.smart_host else None,
    )
    return settings, Signer([load_key(each.key, each.domain, each.selector) for each in relay.dkim])


def _hop(hop: Hop) -> NextHop:
    password = None
    if hop.password_file is not None:
        try:
            password = hop.password_file.read_text("utf-8").strip()
        except OSError as error:
            raise UserError(
                f"{hop.password_file}: cannot be read ({error.strerror}); `password_file` names it"
            ) from None
    try:
        return NextHop(hop.host, hop.port, Tls(hop.tls), hop.implicit_tls, hop.username, password)
    except ValueError as error:
        raise UserError(f"relay: {error}") from None


def work(config: Config, parent: int, nowhere: Nowhere = lambda _: None) -> None:
    """Relay until told to stop, or until the supervisor is gone (`parent` is readable then).

    `nowhere` is called for each recipient that there is not, with where its message came from.
    """
    uvloop.run(_work(config, parent, nowhere))


async def _work(config: Config, parent: int, nowhere: Nowhere) -> None:
    stop = until_told(parent)
    settings, signer = read(config.relay, config.submission)
    folder = config.submission.spool
    reader = Reader.open(folder, exclusive=True)
    marker = Marker(reader, _now)
    bounces = Spool.open(folder, "relay", clock=_now)
    around = Surroundings(settings, resolver(), contexts(), _now, random.shuffle)
    log = logs.start("relay").info
    relay = Relay(reader, marker, bounces, around, signer, Clockwork(asyncio.sleep, random.random), log, nowhere)
    try:
        await relay.run(stop)
    finally:
        await relay.close(grace=GRACE_SECONDS)
        await marker.close()
        await bounces.close()
        reader.close()


def resolver() -> dns.asyncresolver.Resolver:
    """The system's; without one, names are not found and mail for them waits."""
    try:
        return dns.asyncresolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        return dns.asyncresolver.Resolver(configure=False)


def _now() -> datetime:
    return datetime.now(UTC)
