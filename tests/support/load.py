"""Customers who send without a pause, on the port for relaying, and remember what was acknowledged."""

from __future__ import annotations

import hashlib
import random
import threading
from collections import Counter
from typing import Self

from tests.support.service import CUSTOMER, Wire
from tests.support.sink import Delivery

LARGE = 200_000
"""Octets; beyond what the spool keeps in memory."""


def message(number: int) -> bytes:
    """Of about 4 KB, one of 16 of LARGE octets; its checksum is in its header."""
    size = LARGE if number % 16 == 0 else 4000
    line = b"%d " % number * (70 // len(b"%d " % number)) + b"\r\n"
    body = line * (size // len(line))
    return b"Subject: %d\r\nX-Sum: %s\r\n\r\n%b" % (number, hashlib.sha256(body).hexdigest().encode(), body)


def number_of(delivery: Delivery) -> int:
    """Which message it is. Raises AssertionError unless it is whole, and nothing but itself."""
    header, _, body = delivery.content.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in header.split(b"\r\n") if b": " in line)
    assert hashlib.sha256(body).hexdigest().encode() == fields[b"X-Sum"], delivery.content[:300]
    assert delivery.recipients == (f"x{int(fields[b'Subject'])}@elsewhere.example",)
    return int(fields[b"Subject"])


class Load:
    """Clients at work while it is entered. `acknowledged`: numbers of messages; `refused`: final replies by code."""

    def __init__(self, port: int, clients: int = 6, first: int = 1) -> None:
        self.acknowledged: set[int] = set()
        self.refused: Counter[str] = Counter()
        self._port = port
        self.next = first
        """The number of the next message."""
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Until so many more were acknowledged."""
        with self._news:
            wanted = len(self.acknowledged) + more
            assert self._news.wait_for(lambda: len(self.acknowledged) >= wanted, seconds), self.refused

    def wait_for_refusal(self, code: str, seconds: float = 60) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self.refused[code] > 0, seconds), self.refused

    def _client(self) -> None:
        while not self._stop.is_set():
            try:
                with Wire(self._port, CUSTOMER) as wire:
                    if wire.reply()[:3] == b"220" and wire.ask(b"EHLO pc")[:3] == b"250":
                        self._send(wire)
            except OSError:
                # a server that is away, or was killed in mid-session
                self._stop.wait(random.random() / 20)

    def _send(self, wire: Wire) -> None:
        for _ in range(20):
            if self._stop.is_set():
                return
            with self._news:
                number, self.next = self.next, self.next + 1
            wire.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x%d@elsewhere.example>\r\nDATA\r\n" % number)
            codes = [wire.reply()[:3].decode() for _ in range(3)]
            if codes[2] == "354":
                wire.send(message(number) + b".\r\n")
                codes.append(wire.reply()[:3].decode())
            if "" in codes:
                return
            with self._news:
                if codes[-1] == "250":
                    self.acknowledged.add(number)
                else:
                    self.refused[next(code for code in codes if code not in ("250", "354"))] += 1
                self._news.notify_all()
            if codes[-1] != "250":
                self._stop.wait(0.05)
                wire.ask(b"RSET")
