"""What a refusal leaves in the log: a record in the NFLOG group, with the rule's name, and not more than the rate."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from op25b.policy.model import Policy
from op25b.policy.verdict import Flow
from op25b.ruleset.lower import lower
from op25b.ruleset.nftables import render
from tests.support import wire
from tests.support.trio import Trio

pytestmark = pytest.mark.root
GROUP, RATE = 4711, 50
_NETLINK_NETFILTER, _ULOG = 12, 4
_MSG_PACKET, _MSG_CONFIG = 0, 1
_CFG_CMD, _CFG_MODE = 1, 2
_BIND, _COPY_PACKET = 1, 2
_PREFIX = 10


@pytest.fixture
def trio() -> Iterator[Trio]:
    with Trio() as found:
        yield found


def listener(trio: Trio) -> socket.socket:
    """A socket in the edge that is told of the group's records (linux/netfilter/nfnetlink_log.h)."""

    def opened() -> socket.socket:
        found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        for attribute in (
            struct.pack("=HHB3x", 5, _CFG_CMD, _BIND),
            struct.pack("=HH", 10, _CFG_MODE) + struct.pack(">IBx2x", 0xFFFF, _COPY_PACKET),
        ):
            body = struct.pack(">BBH", 0, 0, GROUP) + attribute
            found.send(struct.pack("=IHHII", 16 + len(body), _ULOG << 8 | _MSG_CONFIG, 5, 1, 0) + body)
            assert struct.unpack_from("=i", found.recv(4096), 16)[0] == 0
        found.settimeout(3)
        return found

    return trio.edge.inside(opened)


def prefixes(log: socket.socket) -> list[str]:
    """The prefix of every record, until none has come for a while."""
    found = []
    while True:
        try:
            data = log.recv(1 << 17)
        except TimeoutError:
            return found
        at = 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind == _ULOG << 8 | _MSG_PACKET:
                found.append(_prefix(data[at + 20 : at + length]))
            at += length + -length % 4


def _prefix(attributes: bytes) -> str:
    at = 0
    while at + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, at)
        if kind & 0x3FFF == _PREFIX:
            return attributes[at + 4 : at + length].rstrip(b"\0").decode()
        at += length + -length % 4
    return ""


def policy() -> Policy:
    return Policy.model_validate(
        {
            "provider": {"name": "p", "display": {"ja": "p", "en": "p"}, "time_zone": "Asia/Tokyo"},
            "pools": [
                {"name": "cut", "line": "cut", "prefixes": ["198.18.0.0/24"]},
                {"name": "seen", "line": "seen", "prefixes": ["198.18.1.0/24"]},
                {"name": "free", "line": "free", "prefixes": ["198.18.2.0/24"]},
            ],
            "phases": [
                {"name": "first", "mode": "enforce", "scope": {"lines": ["cut"]}},
                {"name": "second", "mode": "monitor", "scope": {"lines": ["seen"]}},
            ],
            "filter": {"log_group": GROUP, "log_rate": RATE},
        }
    )


def test_refused_and_monitored_attempts_are_logged_under_their_rule_and_within_the_rate(trio: Trio) -> None:
    trio.load(render(lower(policy(), datetime(2026, 1, 1, tzinfo=UTC))))
    log = listener(trio)

    def send(source: str, times: int) -> None:
        flow = Flow(ip_address(source), ip_address("203.0.113.25"))
        numbers = [trio.number() for _ in range(times)]
        trio.send(wire.ip(flow.src, flow.dst, 6, wire.tcp(flow.src, flow.dst, n, 25, 40000)) for n in numbers)

    send("198.18.0.1", 3)
    send("198.18.1.1", 2)
    send("198.18.2.1", 4)
    assert sorted(prefixes(log)) == ["op25b monitored phase/second"] * 2 + ["op25b refused phase/first"] * 3
    send("198.18.0.1", 1000)
    assert RATE <= len(prefixes(log)) < 1000
    log.close()
