"""The relay as a process of the service: what the workers put into the spool, it hands on."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import dns.asyncresolver
import dns.flags
import dns.resolver
import uvloop

from op25b.errors import UserError
from op25b.processes import logs
from op25b.processes.stopping import when_told
from op25b.store import Store
from op25b.store.once import Register
from op25b.submission.config import Config, Hop, Submission
from op25b.submission.config import Relay as RelayConfig
from op25b.submission.driver.relay_metrics import Bookkeeper, RelayBoard
from op25b.submission.relay.connect import contexts
from op25b.submission.relay.dkim import Signer, load_key
from op25b.submission.relay.places import Surroundings
from op25b.submission.relay.runner import Clockwork, Relay
from op25b.submission.relay.settings import Limits, NextHop, Settings, Tls
from op25b.submission.relay.slots import Slots
from op25b.submission.spool import Origin, Reader, Spool
from op25b.submission.spool.bell import Ear
from op25b.submission.spool.reader import Marker
from op25b.submission.trace import Trace

GRACE_SECONDS = 10.0
BREATH_SECONDS = 0.02
"""Between two looks into the spool, however often it rings."""
CACHED_NAMES = 10_000
Nowhere = Callable[[Origin], object]


def read_settings(relay: RelayConfig, submission: Submission) -> Settings:
    """What the configuration says, with its passwords read. Raises UserError for what cannot be used."""
    return Settings(
        submission.hostname,
        routes={route.domain.lower(): _hop(route) for route in relay.routes},
        smart_host=_hop(relay.smart_host) if relay.smart_host else None,
        connections=relay.connections,
        limits=Limits(connections=relay.connections_per_destination),
    )


def read_signer(relay: RelayConfig) -> Signer:
    """With its keys read: the relay's alone, no process that strangers talk to has them. Raises UserError."""
    return Signer([load_key(each.key, each.domain, each.selector) for each in relay.dkim])


def _hop(hop: Hop) -> NextHop:
    password = None
    if hop.password_file is not None:
        try:
            password = hop.password_file.read_text("utf-8").strip()
        except OSError as error:
            raise UserError(
                f"{hop.password_file}: cannot be read ({error.strerror}); `password_file` names it"
            ) from None
        except UnicodeDecodeError:
            raise UserError(f"{hop.password_file}: not a password in UTF-8; write it as one line of text") from None
    try:
        return NextHop(hop.host, hop.port, Tls(hop.tls), hop.implicit_tls, hop.username, password)
    except ValueError as error:
        raise UserError(f"relay: {error}") from None


class Alarm:
    """Sleeps until it is time, until the spool rings, or until all is to end."""

    def __init__(self, folder: Path, stop: asyncio.Event) -> None:
        self._stop = stop
        self._rang = asyncio.Event()
        self._ear: Ear | None = None
        with suppress(OSError):  # polling does, too
            self._ear = Ear(folder)
            asyncio.get_running_loop().add_reader(self._ear.fd, self._ringing)

    @property
    def longest(self) -> float:
        """Seconds that it is good to sleep at most: where nothing rings, somebody must look."""
        return 0.2 if self._ear is None else 1.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(BREATH_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds - BREATH_SECONDS):
                await self._rang.wait()
        if not self._stop.is_set():
            self._rang.clear()

    def end(self) -> None:
        self._stop.set()
        self._rang.set()

    def close(self) -> None:
        if self._ear is not None:
            asyncio.get_running_loop().remove_reader(self._ear.fd)
            self._ear.close()

    def _ringing(self) -> None:
        assert self._ear is not None
        self._ear.hush()
        self._rang.set()


def work(config: Config, trace: Trace, board: RelayBoard, parent: int, nowhere: Nowhere = lambda _: None) -> None:
    """Relay until told to stop, or until the supervisor is gone (`parent` is readable then).

    `nowhere` is called for each recipient that there is not, with where its message came from.
    """
    uvloop.run(_work(config, trace, board, parent, nowhere))


async def _work(config: Config, trace: Trace, board: RelayBoard, parent: int, nowhere: Nowhere) -> None:
    stop = asyncio.Event()
    settings, signer = read_settings(config.relay, config.submission), read_signer(config.relay)
    folder = config.submission.spool
    reader = Reader.open(folder, exclusive=True)
    alarm = Alarm(folder, stop)
    when_told(parent, alarm.end)
    marker = Marker(reader, _now)
    bounces = Spool.open(folder, "relay", clock=_now)
    slots = Slots(settings.connections)
    names = resolver()
    settings = replace(settings, dnssec=is_local(names))
    around = Surroundings(settings, names, contexts(), _now, random.shuffle, slots)
    log = logs.start("relay")
    clockwork = Clockwork(alarm.sleep, random.random, poll=alarm.longest)
    store = Store(config.store)
    relay = Relay(reader, marker, bounces, around, signer, clockwork, log, nowhere, trace, Register(store))
    counting = asyncio.create_task(_count(relay, Bookkeeper(board)))
    try:
        await relay.run(stop)
    finally:
        await relay.close(grace=GRACE_SECONDS)
        counting.cancel()
        await marker.close()
        await bounces.close()
        alarm.close()
        reader.close()
        store.close()


async def _count(relay: Relay, book: Bookkeeper) -> None:
    try:
        while True:
            book.write(relay.tally, relay.figures(), time.monotonic())
            await asyncio.sleep(1)
    finally:
        book.write(relay.tally, relay.figures(), time.monotonic())


def resolver() -> dns.asyncresolver.Resolver:
    """The system's; without one, names are not found and mail for them waits."""
    try:
        made = dns.asyncresolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        made = dns.asyncresolver.Resolver(configure=False)
    made.cache = dns.resolver.LRUCache(CACHED_NAMES)
    # RFC 6840 5.7: or it need not say what it validated
    made.flags = dns.flags.RD | dns.flags.AD
    return made


def is_local(resolver: dns.asyncresolver.Resolver) -> bool:
    """Whatever it says of DNSSEC comes from this host: on the way from another it could be anybody's word."""
    servers = [ip_address(server) for server in resolver.nameservers if isinstance(server, str) and "/" not in server]
    return bool(servers) and all(server.is_loopback for server in servers)


def _now() -> datetime:
    return datetime.now(UTC)
