"""What reading an accounting report must hold to, whatever is sent.

1. It is a fact, nothing, or Discarded: nothing else is raised. (A fact checks itself when it is made.)
2. What is taken can be answered, within the longest packet, and the answer has the request's Proxy-States.
3. What behind the packet's end is makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from typing import TypeVar

from op25b.subscribers.accounting import packets, rest
from op25b.subscribers.accounting.facts import SUBSCRIBER, Attributes, fact
from op25b.subscribers.accounting.faults import Discarded

T = TypeVar("T")
SECRET = b"secret"
RECEIVED = 1_700_000_000.5


def signed(attributes: bytes) -> bytes:
    """An Accounting-Request of these octets, under an authenticator that fits: the fuzzer cannot guess one."""
    head = b"\x04\x01" + (20 + len(attributes)).to_bytes(2)
    return head + md5(head + bytes(16) + attributes + SECRET).digest() + attributes


def check_packet(octets: bytes) -> None:
    """Invariants 1 to 3."""
    request = _or_none(lambda: packets.read(octets, SECRET, must_be_signed=False))
    assert (_or_none(lambda: packets.read(octets + b"\0\xff", SECRET, must_be_signed=False)) is None) == (
        request is None
    )
    if request is None:
        return
    answer = packets.answer(request, SECRET)
    assert len(answer) <= packets.LONGEST
    assert int.from_bytes(answer[2:4]) == len(answer)
    _check_facts(request.attributes)


def check_post(body: bytes) -> None:
    """Invariant 1."""
    attributes = _or_none(lambda: rest.attributes(body))
    if attributes is not None:
        _check_facts(attributes)


def _check_facts(attributes: Attributes) -> None:
    for subscriber in SUBSCRIBER.values():
        for sender in ("192.0.2.254", None):
            _or_none(lambda: fact(attributes, subscriber, RECEIVED, sender))  # noqa: B023  # called at once


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except Discarded:
        return None
