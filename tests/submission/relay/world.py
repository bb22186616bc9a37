"""A relay with a real spool and real connections on the loopback, and time that passes when nothing is under way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message as Mail
from pathlib import Path
from typing import Any

from op25b.submission.relay.connect import Contexts, contexts
from op25b.submission.relay.dkim import Signer
from op25b.submission.relay.once import Register
from op25b.submission.relay.places import Surroundings
from op25b.submission.relay.runner import Clockwork, Relay
from op25b.submission.relay.settings import Limits, NextHop, Settings, Timeouts
from op25b.submission.relay.slots import Slots
from op25b.submission.spool.envelope import Envelope, Origin, Recipient
from op25b.submission.spool.marks import State
from op25b.submission.spool.reader import Marker, Reader
from op25b.submission.spool.segment import Message
from op25b.submission.spool.writer import Spool
from tests.submission.relay.zone import Zone

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = "mail.example.net"
TIMEOUTS = Timeouts(connect=2, greeting=2, command=2, data=2, block=2, final=2, quit=0.5)
CONTENT = b"From: Alice <alice@example.net>\r\nTo: bob@example.com\r\nSubject: hello\r\n\r\nHello.\r\n.\r\n..two\r\n"


@dataclass
class Time:
    """`clock` and `sleep` for a relay: asleep, it first lets everything that is under way end."""

    now: datetime = START
    idle: Callable[[], bool] = lambda: True

    def clock(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        while not self.idle():
            await asyncio.sleep(0.0005)
        self.now += timedelta(seconds=seconds)


@dataclass
class World:
    folder: Path
    time: Time
    settings: Settings
    zone: Zone
    signer: Signer
    tls: Contexts
    poll: float
    register: Register | None
    events: list[dict[str, Any]] = field(default_factory=list)

    async def open(self) -> None:
        self.spool = Spool.open(self.folder, "worker", clock=self.time.clock)
        await self.start()

    async def start(self) -> None:
        """The relay's own process begins."""
        self.reader = Reader.open(self.folder, exclusive=True)
        self.marker = Marker(self.reader, self.time.clock)
        self.bounces = Spool.open(self.folder, "relay", clock=self.time.clock)
        self.slots = Slots(self.settings.connections)
        shuffle = random.Random(1).shuffle
        around = Surroundings(self.settings, self.zone, self.tls, self.time.clock, shuffle, self.slots)
        clockwork = Clockwork(self.time.sleep, random.Random(1).random, self.poll, tidy=3600)
        self.relay = Relay(
            self.reader, self.marker, self.bounces, around, self.signer, clockwork, self, register=self.register
        )
        relay = self.relay
        self.time.idle = lambda: relay.busy == 0

    async def end(self) -> None:
        await self.relay.close(grace=0.5)
        await self.marker.close()
        await self.bounces.close()
        self.reader.close()

    async def submit(self, *to: str | Recipient, content: bytes = CONTENT, sender: str = "alice@example.net",
                     **envelope: Any) -> str:  # fmt: skip
        recipients = tuple(each if isinstance(each, Recipient) else Recipient(each) for each in to)
        made = Envelope(sender, recipients, self.time.now, Origin("192.0.2.1", "ESMTPSA"), **envelope)
        async with self.spool.begin(made) as entry:
            entry.write(content)
            return await entry.commit()

    async def run(self, until: Callable[[], bool] | None = None, *, most: timedelta = timedelta(days=8)) -> None:
        """Until nothing waits (or `until`), in the relay's time; at most `most` of it."""
        stop, end = asyncio.Event(), self.time.now + most
        sleep = self.time.sleep

        async def watched(seconds: float) -> None:
            await sleep(seconds)
            done = until() if until else self.relay.waiting == 0 and not self.unread()
            if done or self.time.now > end:
                stop.set()

        self.relay._clockwork = replace(self.relay._clockwork, sleep=watched)
        async with asyncio.timeout(60):
            await self.relay.run(stop)

    def unread(self) -> bool:
        """Whether a bounce was written since the last look: run on."""
        found = self.relay._reader.scan()
        for message in found.new:
            self.relay._messages[message.queue_id] = message
            self.relay._start_message(message, self.time.now)
        return bool(found.new)

    def states(self, queue_id: str) -> dict[str, str]:
        """The last event of each recipient, as it was logged."""
        return {
            each["recipient"]: each["event"]
            for each in self.events
            if each.get("queue_id") == queue_id and "recipient" in each
        }

    def waiting(self) -> Sequence[Message]:
        """What a fresh look into the spool finds, by one who never saw it before."""
        return Reader.open(self.folder, exclusive=False).scan().new

    def last(self, recipient: str) -> dict[str, Any]:
        return [each for each in self.events if each.get("recipient") == recipient][-1]

    def info(self, event: str, **fields: object) -> None:
        """The relay's log: the world itself, with this and the two below."""
        self.events.append({"level": "info", "event": event, "at": self.time.now, **fields})

    def warning(self, event: str, **fields: object) -> None:
        self.info(event, **{"level": "warning", **fields})

    def error(self, event: str, **fields: object) -> None:
        self.info(event, **{"level": "error", **fields})


@asynccontextmanager
async def world(
    folder: Path,
    *,
    zone: Zone | None = None,
    smart_host: NextHop | None = None,
    routes: dict[str, NextHop] | None = None,
    limits: Limits | None = None,
    mx_port: int = 25,
    timeouts: Timeouts = TIMEOUTS,
    signer: Signer | None = None,
    tls: Contexts | None = None,
    poll: float = 60.0,
    connections: int = 500,
    dnssec: bool = True,
    register: Register | None = None,
) -> AsyncIterator[World]:
    settings = Settings(
        HERE,
        routes=routes or {},
        smart_host=smart_host,
        mx_port=mx_port,
        connections=connections,
        dnssec=dnssec,
        timeouts=timeouts,
        limits=limits or Limits(idle=0.2),
    )
    made = World(folder, Time(), settings, zone or Zone({}), signer or Signer([]), tls or contexts(), poll, register)
    await made.open()
    try:
        yield made
    finally:
        await made.end()
        await made.spool.close()


def parse(content: bytes) -> Mail:
    return message_from_bytes(content)


DELIVERED, FAILED, DEFERRED = (State.DELIVERED.value, State.FAILED.value, State.DEFERRED.value)
