"""What the watch reads: log records as the kernel makes them, and senders as they behave over hours and days."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from random import Random

import numpy as np

from op25b.watch.activity import source_of
from op25b.watch.nflog import MESSAGE, Records
from tests.support import wire

SECOND = 1_000_000
DAY = 1_767_225_600 * SECOND
"""Midnight of 2026-01-01, UTC: nine in the morning in Japan."""
RULES = ("op25b refused phase/first", "op25b monitored phase/second")
_DONE = struct.pack("=IHHII", 20, 3, 2, 0, 0) + bytes(4)


@dataclass(frozen=True)
class Attempt:
    """One packet of a connection's beginning. `at`: seconds since DAY; `from_port` tells connections apart."""

    at: float
    source: str
    target: str
    from_port: int = 0
    monitored: bool = False

    @property
    def micros(self) -> int:
        return DAY + round(self.at * SECOND)


def records(attempts: Sequence[Attempt]) -> Records:
    """As the parser gives them."""
    targets = [int(ip_address(each.target)) for each in attempts]
    mapped = [value | 0xFFFF << 32 if value < 1 << 32 else value for value in targets]
    return Records(
        np.array([source_of(ip_address(each.source)) for each in attempts], np.uint64),
        np.array([[value >> 64, value & (1 << 64) - 1] for value in mapped], np.uint64).reshape(-1, 2),
        np.full(len(attempts), 25, np.uint16),
        np.array([each.from_port for each in attempts], np.uint16),
        np.full(len(attempts), 2, np.uint8),
        np.array([each.micros for each in attempts], np.int64),
        np.array([each.monitored for each in attempts], np.uint8),
        np.zeros(0, np.uint32),
        RULES,
    )


def message(
    packet: bytes, prefix: str, sequence: int | None = None, at: int | None = None, hardware: int = 14
) -> bytes:
    """One record as the kernel makes it; `at` in microseconds."""
    parts = [_attribute(1, b"\x08\0\x02\0"), _attribute(10, prefix.encode() + b"\0"), _attribute(4, bytes(4))]
    parts += [_attribute(16, bytes(hardware)), _attribute(17, bytes(2))] if hardware else []
    if at is not None:
        parts.append(_attribute(3, struct.pack(">QQ", *divmod(at, SECOND))))
    if sequence is not None:
        parts.append(_attribute(12, struct.pack(">I", sequence)))
    body = struct.pack(">BBH", 2, 0, 25) + b"".join(parts) + _attribute(9, packet)
    return struct.pack("=IHHII", 16 + len(body), MESSAGE, 2, 0, 0) + body


def datagram(messages: Iterable[bytes]) -> bytes:
    """Many records as the kernel packs them."""
    return b"".join([*messages, _DONE])


def packet(attempt: Attempt, number: int = 0) -> bytes:
    """The packet of an attempt: a SYN with options, as clients send it."""
    source, target = ip_address(attempt.source), ip_address(attempt.target)
    options = bytes((2, 4, 5, 180, 1, 3, 3, 7))
    tcp = wire.tcp(source, target, number, 25, attempt.from_port, options=options)
    return wire.ip(source, target, wire.TCP, tcp)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def bot(source: str, seed: int, targets: int = 200, seconds: float = 600) -> Iterator[Attempt]:
    """Fires at its list, one after the other, never twice at the same."""
    random, ports = Random(seed), count(20_000)
    for number in range(targets):
        target = f"203.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        yield Attempt(number * seconds / targets, source, target, next(ports))


def mail_program(
    source: str, hours: Iterable[float], servers: Sequence[str] = ("203.0.113.25",), every: float = 600, tries: int = 6
) -> Iterator[Attempt]:
    """Somebody presses send at these hours, the program tries again every so often, and he gives up. SYNs repeat."""
    ports = count(40_000)
    for hour in hours:
        for number in range(tries):
            for server in servers:
                port = next(ports)
                for repeated in (0, 1, 3, 7):
                    yield Attempt(hour * 3600 + number * every + repeated, source, server, port)


def home_server(source: str, targets: int, hours: float, seed: int = 0) -> Iterator[Attempt]:
    """A queue: each message is tried after 5 minutes, then twice as long each time up to 4,000 seconds (Postfix)."""
    random, ports = Random(seed), count(30_000)
    for number in range(targets):
        at, wait = random.uniform(0, hours * 1800), 300.0
        while at < hours * 3600:
            yield Attempt(
                at, source, f"198.51.{100 + number % 100}.{25 + number // 100}", 20_000 + next(ports) % 40_000
            )
            at += wait + random.uniform(0, 10)
            wait = min(4000.0, 2 * wait)
