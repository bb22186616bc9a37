"""A router between customers and the Internet, each in a network namespace without a name; the sink answers on 25."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from tests.support.trio import Namespace

TARGET = "203.0.113.25"
CUSTOMERS = tuple(f"198.18.0.{number}" for number in range(1, 9))

_CUSTOMERS = "\n".join(
    [
        "link set lo up",
        "link set eth0 up",
        *(f"addr add {each}/25 dev eth0" for each in CUSTOMERS),
        "route add default via 198.18.0.126\n",
    ]
)
_ROUTER = """
link set lo up
link set c0 up
link set n0 up
addr add 198.18.0.126/25 dev c0
addr add 203.0.113.254/24 dev n0
"""
_INTERNET = f"""
link set lo up
link set eth0 up
addr add {TARGET}/24 dev eth0
route add default via 203.0.113.254
"""


class Streets:
    """`router`: where op25b runs."""

    def __init__(self) -> None:
        self.router, self.customers, self.internet = Namespace(), Namespace(), Namespace()
        for name, other in (("c0", self.customers), ("n0", self.internet)):
            peer = f"/proc/self/fd/{other.fd}"
            link = ("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", peer)
            self.router.run("ip", *link, also=(other.fd,))
        for namespace, lines in ((self.router, _ROUTER), (self.customers, _CUSTOMERS), (self.internet, _INTERNET)):
            namespace.run("ip", "-batch", "-", stdin=lines)
        # refusals are not to be rationed
        rates = ("net.ipv4.icmp_ratelimit=0", "net.ipv4.icmp_msgs_per_sec=1000000")
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", *rates)
        self._sink = self.internet.inside(lambda: socket.create_server((TARGET, 25), backlog=1000))

    def close(self) -> None:
        self._sink.close()
        for namespace in (self.router, self.customers, self.internet):
            namespace.close()

    @property
    def inside(self) -> tuple[str, ...]:
        """The beginning of a command that is to run on the router."""
        return ("nsenter", f"--net=/proc/{os.getpid()}/fd/{self.router.fd}", "--")

    def tries(self, source: str) -> Literal["passes", "is refused"]:
        """A customer connects to a mail server on 25."""

        def connect() -> Literal["passes", "is refused"]:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
                made.settimeout(5)
                made.bind((source, 0))
                refusal = made.connect_ex((TARGET, 25))
                assert refusal != errno.EAGAIN, "neither passed nor refused"
                return "is refused" if refusal else "passes"

        return self.customers.inside(connect)


@contextmanager
def streets() -> Iterator[Streets]:
    made = Streets()
    try:
        yield made
    finally:
        made.close()
