"""Bare connection attempts by the hundred, run inside a subscriber's host: what a bot does, and what measures delays.

A program of its own, standard library only. Usage:
    knocking.py fire PORT SOURCE TARGET COUNT      once at each of COUNT addresses from TARGET on, all at the same time
    knocking.py probe PORT [SOURCE TARGET]...      again and again, until standard input ends; writes `ready` first
`fire` writes how many connected.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import sys
import time
from contextlib import suppress
from ipaddress import ip_address

_FIRE_SECONDS = 5.0
_FIRE_PAUSE_SECONDS = 0.001
"""So that all of them are recorded and logged: a thousand a second, no burst."""
_PROBE_SECONDS = 0.005
"""From one attempt of a pair to its next, at least: what is measured is at most so much too long."""
_LINGER = struct.pack("ii", 1, 0)  # a close is a reset: nothing stays behind


def begin(source: str, target: str, port: int) -> socket.socket:
    """An attempt under way."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    attempt = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    attempt.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    with suppress(OSError):  # an address that is gone or not there yet, or refused at once
        attempt.bind((source, 0))
        attempt.connect_ex((target, port))
    return attempt


def fire(port: str, source: str, target: str, count: str) -> None:
    first = ip_address(target)
    attempts = {}
    waiting = select.poll()
    for n in range(int(count)):
        attempt = begin(source, str(first + n), int(port))
        attempts[attempt.fileno()] = attempt
        waiting.register(attempt, select.POLLOUT)
        time.sleep(_FIRE_PAUSE_SECONDS)
    connected, deadline = 0, time.monotonic() + _FIRE_SECONDS
    while attempts and time.monotonic() < deadline:
        for descriptor, _ in waiting.poll(100):
            waiting.unregister(descriptor)
            with attempts.pop(descriptor) as attempt:
                connected += attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    print(f"{connected} of {count} connected")


def probe(port: str, *pairs: str) -> None:
    """One attempt of each pair at a time; an answer, or its want for a moment, ends it."""
    waiting, ending = select.poll(), select.poll()
    ending.register(0, select.POLLIN)
    os.write(1, b"ready\n")
    while not ending.poll(0):
        began = time.monotonic()
        attempts = [begin(source, target, int(port)) for source, target in zip(pairs[::2], pairs[1::2], strict=True)]
        for attempt in attempts:
            waiting.register(attempt, select.POLLOUT)
        waiting.poll(1000 * _PROBE_SECONDS)
        for attempt in attempts:
            waiting.unregister(attempt)
            attempt.close()
        time.sleep(max(0.0, _PROBE_SECONDS - (time.monotonic() - began)))


def main() -> int:
    try:
        {"fire": fire, "probe": probe}[sys.argv[1]](*sys.argv[2:])  # type: ignore[operator]
    except OSError as error:
        print(f"{errno.errorcode.get(error.errno or 0, 'error')}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
