"""Three network namespaces, A - edge - B: packets go in raw at A and are looked for at B; refusals come back to A.

The namespaces have no names; they are held by file descriptors, so they go away with the process, however it ends.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TypeVar

from tests.support import wire

T = TypeVar("T")
_NEWNET = 0x40000000
_ETH_P_ALL = 0x0003
_PATIENCE = 10.0
"""Seconds to wait for the packet that comes last."""

A_MAC, EDGE_MAC = "02:00:00:00:00:0a", "02:00:00:00:00:ea"
OUT_MAC, B_MAC = "02:00:00:00:00:eb", "02:00:00:00:00:0b"
EDGE4, A4 = "100.64.0.1", "100.64.0.2"

_LINKS = f"""
link add a0 address {EDGE_MAC} type veth peer name eth0 address {A_MAC} netns {{a}}
link add b0 address {OUT_MAC} type veth peer name eth0 address {B_MAC} netns {{b}}
"""
# What comes in from A leaves to B, whatever its destination; what the edge says itself goes to A.
_EDGE = f"""
addr add {EDGE4}/30 dev a0
addr add fd00:a::1/64 dev a0 nodad
addr add 100.64.0.5/30 dev b0
addr add fd00:b::1/64 dev b0 nodad
link set lo up
link set a0 up
link set b0 up
neigh add {A4} lladdr {A_MAC} dev a0
neigh add fd00:a::2 lladdr {A_MAC} dev a0
neigh add 100.64.0.6 lladdr {B_MAC} dev b0
neigh add fd00:b::2 lladdr {B_MAC} dev b0
route add default via {A4} dev a0
route add ::/0 via fd00:a::2 dev a0
route add default via 100.64.0.6 dev b0 table 100
route add ::/0 via fd00:b::2 dev b0 table 100
rule add iif a0 lookup 100
"""
_EDGE_SYSCTL = """
net.ipv4.ip_forward=1
net.ipv4.conf.all.rp_filter=0
net.ipv4.conf.default.rp_filter=0
net.ipv4.conf.a0.rp_filter=0
net.ipv4.conf.a0.accept_source_route=1
net.ipv4.conf.all.accept_source_route=1
net.ipv6.conf.all.forwarding=1
net.ipv4.icmp_ratelimit=0
net.ipv4.icmp_msgs_per_sec=1000000
net.ipv4.icmp_msgs_burst=1000000
net.ipv6.icmp.ratelimit=0
"""


class Namespace:
    """A network namespace without a name."""

    def __init__(self) -> None:
        self.fd = _in_thread(_unshared)

    def close(self) -> None:
        os.close(self.fd)

    def run(self, *command: str, stdin: str = "", also: tuple[int, ...] = ()) -> str:
        """Run a command inside; its output. Raises CalledProcessError, with what it said printed."""
        done = subprocess.run(
            ["nsenter", f"--net=/proc/self/fd/{self.fd}", "--", *command],
            input=stdin, capture_output=True, text=True, pass_fds=(self.fd, *also), check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def inside(self, work: Callable[[], T]) -> T:
        """Call `work` in a thread that is inside; sockets made there stay there."""

        def entered() -> T:
            _check(ctypes.CDLL(None, use_errno=True).setns(self.fd, _NEWNET))
            return work()

        return _in_thread(entered)

    def packet_socket(self, device: str = "eth0") -> socket.socket:
        """A raw socket on a device: whole Ethernet frames, both ways."""

        def opened() -> socket.socket:
            found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            found.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
            found.bind((device, _ETH_P_ALL))
            found.settimeout(_PATIENCE)
            return found

        return self.inside(opened)


class Trio:
    """A - edge - B. Use as a context manager."""

    def __enter__(self) -> Trio:
        self.a, self.edge, self.b = Namespace(), Namespace(), Namespace()
        links = _LINKS.format(a=f"/proc/self/fd/{self.a.fd}", b=f"/proc/self/fd/{self.b.fd}")
        self.edge.run("ip", "-batch", "-", stdin=links, also=(self.a.fd, self.b.fd))
        for host in (self.a, self.b):
            # without IPv6 nothing but the test speaks on the links
            host.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            host.run("ip", "link", "set", "eth0", "up")
        self.edge.run("ip", "-batch", "-", stdin=_EDGE)
        self.edge.run("ip", "-6", "rule", "add", "iif", "a0", "lookup", "100")
        self.edge.run("sysctl", "-eqw", *_EDGE_SYSCTL.split())
        self.at_a, self.at_b = self.a.packet_socket(), self.b.packet_socket()
        self.cpus = os.sched_getaffinity(0)
        self.last = wire.STEP
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for each in (self.at_a, self.at_b, self.a, self.edge, self.b):
            each.close()

    def number(self) -> int:
        """A number that no packet has carried yet."""
        self.last += wire.STEP
        return self.last

    def load(self, text: str) -> None:
        """Put a ruleset in force at the edge."""
        self.edge.run("nft", "-f", "-", stdin=text)

    def nft(self, *words: str) -> str:
        return self.edge.run("nft", *words)

    def send(self, packets: Iterable[bytes]) -> dict[int, set[str]]:
        """Send packets from A one after another; what became of each number: 'arrived', 'reset', 'icmp', 'other'.

        On one processor the kernel handles all of them in order, and a refusal before the packet after it. So when
        a last packet has got to B, and the edge has answered a last ping, nothing is left to wait for.
        """
        os.sched_setaffinity(0, {min(self.cpus)})
        try:
            for packet in packets:
                self._inject(packet)
            last, ping = self.number(), self.number()
            self._inject(_datagram(last))
            self._inject(_ping(ping))
            fates: dict[int, set[str]] = {}
            self._collect(self.at_b, last, ("arrived",), fates)
            self._collect(self.at_a, ping, ("reset", "icmp", "other"), fates)
        finally:
            os.sched_setaffinity(0, self.cpus)
        fates.pop(last)
        fates.pop(ping)
        return fates

    def _inject(self, packet: bytes) -> None:
        tagged = packet[:2] == b"\x81\x00"  # a VLAN tag, with its type and what it carries
        frame = packet if tagged else (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet
        self.at_a.send(_mac(EDGE_MAC) + _mac(A_MAC) + frame)

    def _collect(self, at: socket.socket, last: int, kinds: tuple[str, ...], fates: dict[int, set[str]]) -> None:
        mine = _mac(A_MAC if at is self.at_a else B_MAC)
        while True:
            frame = at.recv(65536)
            seen = wire.read(frame[14:]) if frame[:6] == mine else None
            if seen is None:
                continue
            if seen.number == last:
                fates[last] = set()
                return
            if seen.kind in kinds:
                fates.setdefault(seen.number, set()).add(seen.kind)


def _datagram(number: int) -> bytes:
    src, dst = wire.IPv4Address(A4), wire.IPv4Address("100.64.0.6")
    return wire.ip(src, dst, wire.UDP, wire.udp(src, dst, number, 9))


def _ping(number: int) -> bytes:
    src, dst = wire.IPv4Address(A4), wire.IPv4Address(EDGE4)
    body = struct.pack("!I", number)
    head = bytes((8, 0)) + struct.pack("!H", wire.checksum(bytes((8, 0, 0, 0)) + body))
    return wire.ip(src, dst, wire.ICMP, head + body)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _unshared() -> int:
    _check(ctypes.CDLL(None, use_errno=True).unshare(_NEWNET))
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _in_thread(work: Callable[[], T]) -> T:
    """A thread may change its namespace without taking the process along."""
    found: list[T] = []
    failed: list[BaseException] = []

    def called() -> None:
        try:
            found.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=called)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
