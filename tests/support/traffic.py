"""Mail traffic through the router that a network namespace is: SYNs to port 25 from two families of customers.

Two TUN devices stand for the customers' side and the Internet's. What is written to one is routed, and comes out of
the other, or is answered. One processor handles what one process writes in the order in which it was written.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import select
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import TracebackType

from tests.support import wire
from tests.support.enforced import POOLS

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_PAUSE = 0.001
_PATIENCE = 5.0
SERVER = {4: IPv4Address("203.0.113.25"), 6: IPv6Address("2001:db8:ffff::25")}
_LINKS = """
link set lo up
link set in0 up
link set out0 up
route add 198.18.0.0/15 dev in0
route add 203.0.113.0/24 dev out0
route add 2001:db8::/33 dev in0
route add 2001:db8:ffff::/48 dev out0
"""
_SYSCTL = {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/in0/rp_filter": "0",
    "ipv6/conf/all/forwarding": "1",
}

Flow = tuple[str, int]
"""Pool and IP version."""
FLOWS: tuple[Flow, ...] = tuple((pool, version) for pool in POOLS for version in (4, 6))


def _packet(flow: Flow, number: int) -> bytes:
    pool, version = flow
    source = IPv4Address(f"198.18.{POOLS[pool]}.7") if version == 4 else IPv6Address(f"2001:db8:{POOLS[pool]}::7")
    return wire.ip(source, SERVER[version], wire.TCP, wire.tcp(source, SERVER[version], number, 25))


@dataclass
class Flowing:
    """What became of each packet, in the order in which they were sent; filled in when the traffic has ended."""

    fates: list[tuple[Flow, str]] = field(default_factory=list)


class Traffic:
    """The customers' and the Internet's side of the present network namespace; a context manager."""

    def __enter__(self) -> Traffic:
        self._inside, self._outside = _tun("in0"), _tun("out0")
        subprocess.run(["ip", "-batch", "-"], input=_LINKS, text=True, check=True)
        for name, value in _SYSCTL.items():
            Path("/proc/sys/net", name).write_text(value)
        self._last = 0
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._inside)
        os.close(self._outside)

    def probe(self) -> dict[Flow, str]:
        """One packet of each flow: 'arrived' or 'reset'. AssertionError: one was neither."""
        fates = dict[int, str]()
        sent = self._round(fates)
        self._drain(fates, sent)
        return {flow: fates[number] for number, flow in sent.items()}

    def passing(self) -> str:
        """The pools whose packets pass, by name: "ab"; "ab6" where those of b pass over IPv6 only.

        The packets of a round are sent one by one, so a round may see a change between the families.
        """
        fates = self.probe()
        return "".join(
            {(True, True): pool, (True, False): f"{pool}4", (False, True): f"{pool}6", (False, False): ""}[
                fates[pool, 4] == "arrived", fates[pool, 6] == "arrived"
            ]
            for pool in POOLS
        )

    @contextmanager
    def flowing(self) -> Iterator[Flowing]:
        """Thousands of packets a second from a process of its own, until the block ends."""
        result, stop, ready = os.pipe(), os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            answer: object
            try:
                os.close(stop[1])
                answer = self._flow(stop[0], ready[1])
            except BaseException as error:
                answer = repr(error)
            with os.fdopen(result[1], "wb") as file:
                pickle.dump(answer, file)
            os._exit(0)
        os.close(result[1])
        os.close(stop[0])
        os.close(ready[1])
        os.read(ready[0], 1)
        os.close(ready[0])
        found = Flowing()
        try:
            yield found
        finally:
            os.close(stop[1])
            with os.fdopen(result[0], "rb") as file:
                told = file.read()
            os.waitpid(child, 0)
        fates = pickle.loads(told)
        assert isinstance(fates, list), f"the traffic broke off: {fates}"
        found.fates = fates

    def _flow(self, stop: int, ready: int) -> list[tuple[Flow, str]]:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        fates, sent = dict[int, str](), dict[int, Flow]()
        while not select.select([stop], [], [], 0)[0]:
            sent |= self._round(fates)
            if len(sent) == len(FLOWS):
                os.write(ready, b".")
            time.sleep(_PAUSE)
        self._drain(fates, sent)
        return [(flow, fates.get(number, "lost")) for number, flow in sent.items()]

    def _round(self, fates: dict[int, str]) -> dict[int, Flow]:
        sent = {}
        for flow in FLOWS:
            self._last += wire.STEP
            sent[self._last] = flow
            self._write(_packet(flow, self._last))
        self._read(fates)
        return sent

    def _write(self, packet: bytes) -> None:
        """The device's queue may be full for a moment."""
        while True:
            try:
                os.write(self._inside, packet)
                return
            except BlockingIOError:
                select.select([], [self._inside], [], _PATIENCE)

    def _drain(self, fates: dict[int, str], sent: dict[int, Flow]) -> None:
        """Wait for what has not come out yet."""
        end = time.monotonic() + _PATIENCE
        while sent.keys() - fates.keys() and time.monotonic() < end:
            select.select([self._inside, self._outside], [], [], 0.1)
            self._read(fates)

    def _read(self, fates: dict[int, str]) -> None:
        for device in (self._inside, self._outside):
            with suppress(BlockingIOError):
                while True:
                    seen = wire.read(os.read(device, 2048))
                    if seen is not None and seen.kind in ("arrived", "reset"):
                        # a packet that both arrived and was refused must show
                        fates[seen.number] = "both" if seen.number in fates else seen.kind


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device
