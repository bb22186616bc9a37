"""Access servers that tell of new sessions: packets made before, many ports, as many in flight or so many a second."""

from __future__ import annotations

import heapq
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5
from ipaddress import IPv4Address

import numpy as np
from netns import Router, packet4
from numpy.typing import NDArray

SECRET = b"a secret of the bench"
PORT = 1813
PORTS = 64
"""Sockets that packets come from; each has 256 identifiers."""
FIRST = (10 << 24) + 256
TARGET = (203 << 24) + 25
SOON = 0.0002
"""Seconds between looks at what has come, and between the first tries of an address."""
ETHERNET_ALL = 3
PATIENCE = 5.0
"""Seconds without any answer, after which the rest counts as lost."""


def subscriber(number: int) -> str:
    return f"u{number}@example.jp"


def address(number: int) -> str:
    """The one that subscriber gets."""
    return str(IPv4Address(FIRST + number))


def start_packet(number: int) -> bytes:
    """The Accounting-Request (RFC 2866) of a session's start; its identifier is right for the socket it goes by."""
    name, now = subscriber(number).encode(), int(time.time())
    attributes = b"".join(
        bytes((kind, len(value) + 2)) + value
        for kind, value in (
            (1, name),
            (40, struct.pack(">I", 1)),
            (44, b"%08x" % number),
            (4, bytes((192, 0, 2, 1))),
            (32, b"bng1"),
            (5, struct.pack(">I", number % 65536)),
            (31, b"02-00-00-%02x-%02x-%02x" % (number >> 16 & 255, number >> 8 & 255, number & 255)),
            (8, struct.pack(">I", FIRST + number)),
            (55, struct.pack(">I", now)),
            (41, bytes(4)),
        )
    )
    head = struct.pack(">BBH", 4, number // PORTS % 256, 20 + len(attributes))
    return head + md5(head + bytes(16) + attributes + SECRET, usedforsecurity=False).digest() + attributes


class Sender:
    """Sends packets by their numbers, 0 and up, and hears the answers. In the router's namespace, on its loopback."""

    def __init__(self, router: Router, packets: Sequence[bytes]) -> None:
        self._packets = packets
        self.sockets = []
        with router.router.entered():
            for _ in range(PORTS):
                made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                made.connect(("127.0.0.1", PORT))
                made.setblocking(False)
                self.sockets.append(made)
        self._poll = select.epoll()
        for made in self.sockets:
            self._poll.register(made, select.EPOLLIN)
        self._place = {made.fileno(): place for place, made in enumerate(self.sockets)}
        self._in_flight: list[dict[int, int]] = [{} for _ in self.sockets]

    def send(self, number: int) -> None:
        place = number % PORTS
        self._in_flight[place][number // PORTS % 256] = number
        self.sockets[place].send(self._packets[number])

    def answered(self, seconds: float) -> list[int]:
        """Whose answers have come, after waiting for one."""
        found = []
        for handle, _ in self._poll.poll(seconds):
            place = self._place[handle]
            while True:
                try:
                    answer = self.sockets[place].recv(64)
                except BlockingIOError:
                    break
                except ConnectionRefusedError:
                    raise RuntimeError("nobody listens on the accounting port") from None
                if (number := self._in_flight[place].pop(answer[1], None)) is not None:
                    found.append(number)
        return found

    def close(self) -> None:
        self._poll.close()
        for each in self.sockets:
            each.close()


@dataclass(frozen=True)
class Rate:
    """Answers a second in the window; whose packets were answered until the end of the last one's patience."""

    rate: float
    answered: int


def in_flight(sender: Sender, packets: int, many: int, warm: float, seconds: float) -> Rate:
    """Keep `many` packets unanswered until the window of `seconds` is over, then wait for what is left.

    RuntimeError if nobody answers.
    """
    sent = done = counted = 0
    now = heard = time.monotonic()
    last = since = now + warm
    until = since + seconds
    while (now < until and sent < packets) or done < sent:
        while now < until and sent - done < many and sent < packets:
            sender.send(sent)
            sent += 1
        found = len(sender.answered(1.0))
        now = time.monotonic()
        heard = now if found else heard
        if now - heard > PATIENCE:
            break
        done += found
        if since <= now < until:
            counted, last = counted + found, now
    if not counted:
        raise RuntimeError(f"{done} of {sent} packets were answered, and none in the window")
    return Rate(counted / (last - since), done)


@dataclass(frozen=True)
class Times:
    """Seconds from each packet's sending: until the answer, and until the first packet of the address passed; inf if
    that never came about. `late`: how far behind the plan they were sent, at most.
    """

    answer: NDArray[np.float64]
    passed: NDArray[np.float64]
    late: float


class Prober:
    """Sends from subscribers' addresses to port 25 what the router refuses until it knows better, and sees it pass."""

    def __init__(self, router: Router, count: int) -> None:
        with router.inside.entered():
            self._out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self._out.bind(("out", 0))
        with router.outside.entered():
            self._came = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERNET_ALL))
            self._came.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self._came.bind(("in", ETHERNET_ALL))
            self._came.setblocking(False)
        self._packets = [packet4(FIRST + number, TARGET, 6, 25) for number in range(count)]
        self._due: list[tuple[float, float, int]] = []
        self._waiting: set[int] = set()

    def watch(self, number: int, now: float) -> None:
        """From now on its address tries; at growing distances, a tenth of the time since."""
        self._waiting.add(number)
        heapq.heappush(self._due, (now, now, number))

    def tried(self, now: float) -> list[int]:
        """Send what is due; whose packets have passed."""
        while self._due and self._due[0][0] <= now:
            _, began, number = heapq.heappop(self._due)
            if number in self._waiting:
                self._out.send(self._packets[number])
                heapq.heappush(self._due, (now + max(SOON, (now - began) / 10), began, number))
        found = []
        while True:
            try:
                packet = self._came.recv(64)
            except BlockingIOError:
                return found
            number = int.from_bytes(packet[26:30]) - FIRST
            if packet[12:14] == b"\x08\x00" and packet[36:38] == b"\0\x19" and number in self._waiting:
                self._waiting.remove(number)
                found.append(number)

    def close(self) -> None:
        self._out.close()
        self._came.close()


def each_second(sender: Sender, prober: Prober, rate: float, count: int, patience: float) -> Times:
    """Send `count` packets at `rate` whatever comes back, then wait for the rest for so long."""
    sent_at = np.zeros(count)
    answer, passed = np.full(count, np.inf), np.full(count, np.inf)
    begin, sent, late = time.monotonic(), 0, 0.0
    end = begin + count / rate + patience
    while (now := time.monotonic()) < end:
        while sent < count and (due := begin + sent / rate) <= now:
            late = max(late, now - due)
            sent_at[sent] = time.monotonic()
            sender.send(sent)
            prober.watch(sent, now)
            sent += 1
        for number in sender.answered(0):
            answer[number] = time.monotonic() - sent_at[number]
        for number in prober.tried(time.monotonic()):
            passed[number] = time.monotonic() - sent_at[number]
        if sent == count and np.isfinite(answer).all() and np.isfinite(passed).all():
            break
        time.sleep(SOON / 4)
    return Times(answer, passed, late)
