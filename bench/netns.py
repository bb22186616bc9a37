"""Network namespaces without names, gone with the process; a router between two of them; a flood of crafted packets."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from op25b.errors import Missing

CLONE_NEWNET = 0x40000000
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20
BATCH = 1024  # UIO_MAXIOV: the kernel takes no more messages in one sendmmsg

ROUTER_IN, NOBODY = "02:00:00:00:00:01", "02:00:00:00:00:99"

_libc = ctypes.CDLL(None, use_errno=True)
_MMSGHDR = np.dtype(
    [(name, "u8") for name in ("name", "namelen", "iov", "iovlen", "control", "controllen", "flags", "sent")]
)
_IOVEC = np.dtype([("base", "u8"), ("length", "u8")])


class Namespace:
    """A network namespace that lives as long as this object."""

    def __init__(self) -> None:
        before = _open_own()
        try:
            if _libc.unshare(CLONE_NEWNET):
                raise Missing("the kernel lets no network namespaces be made here: run as root with CAP_SYS_ADMIN")
            self.handle = _open_own()
        finally:
            _enter(before)
            os.close(before)

    @property
    def path(self) -> str:
        """As `ip` takes it."""
        return f"/proc/{os.getpid()}/fd/{self.handle}"

    @contextmanager
    def entered(self) -> Iterator[Self]:
        """This thread, and the programs it starts, are in the namespace."""
        before = _open_own()
        _enter(self.handle)
        try:
            yield self
        finally:
            _enter(before)
            os.close(before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)

    def run(self, program: str, script: str) -> None:
        """Give `script` to `nft -f -` or `ip -batch -` inside."""
        option = {"nft": ["-f", "-"], "ip": ["-batch", "-"]}[program]
        with self.entered():
            done = subprocess.run([program, *option], input=script, text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr[:500]}")

    def counter(self, device: str, column: int) -> int:
        """A column of /proc/net/dev: 1 packets in, 9 packets out."""
        with self.entered(), open("/proc/thread-self/net/dev") as file:
            line = next(line for line in file if line.strip().startswith(f"{device}:"))
        return int(line.split(":")[1].split()[column])


def _open_own() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _enter(handle: int) -> None:
    if _libc.setns(handle, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "entering a network namespace")


class Router:
    """outside <- router <- inside, joined by veth pairs, both families.

    What is sent from `inside` is routed to a neighbour that no one is, so it ends on arrival outside and nothing
    is ever answered: all that is measured is the way through the router.
    """

    def __init__(self) -> None:
        self.inside, self.router, self.outside = Namespace(), Namespace(), Namespace()
        for namespace in (self.inside, self.router, self.outside):
            with namespace.entered():
                for key in ("ipv6/conf/default/disable_ipv6", "ipv6/conf/all/disable_ipv6"):
                    _sysctl(key, namespace is not self.router)
                if namespace is self.router:
                    for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                        _sysctl(key, True)
                    for key in ("ipv4/conf/all/rp_filter", "ipv4/conf/default/rp_filter"):
                        _sysctl(key, False)
        self.router.run(
            "ip",
            f"link add in0 address {ROUTER_IN} type veth peer name out netns {self.inside.path}\n"
            f"link add out0 type veth peer name in netns {self.outside.path}\n"
            "link set in0 addrgenmode none up\nlink set out0 addrgenmode none up\n"
            "address add 198.18.0.1/30 dev out0\naddress add fd00::1/64 dev out0 nodad\n"
            "route add default via 198.18.0.2\nroute add default via fd00::2\n"
            "route add 10.0.0.0/8 dev in0\n"
            f"neighbour add 198.18.0.2 lladdr {NOBODY} dev out0\nneighbour add fd00::2 lladdr {NOBODY} dev out0\n",
        )
        self.inside.run("ip", "link set out up\n")
        self.outside.run("ip", "link set in up\n")
        # the router itself sends too (MLD), so what is counted is SMTP alone
        self.outside.run(
            "nft",
            "table netdev watch { counter smtp { }; chain arrivals { "
            'type filter hook ingress device "in" priority 0; tcp dport 25 counter name smtp; }; }\n',
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for namespace in (self.inside, self.router, self.outside):
            os.close(namespace.handle)

    def came_in(self) -> int:
        """Packets from inside so far."""
        return self.router.counter("in0", 1)

    def went_out(self) -> int:
        """Packets passed on so far, the router's own among them."""
        return self.router.counter("out0", 9)

    def smtp_out(self) -> int:
        """Packets for TCP port 25 that have come out so far."""
        with self.outside.entered():
            listed = subprocess.run(["nft", "-j", "list counters"], capture_output=True, check=True).stdout
        (found,) = (each["counter"]["packets"] for each in json.loads(listed)["nftables"] if "counter" in each)
        return int(found)


def _sysctl(key: str, value: bool) -> None:
    with open(f"/proc/sys/net/{key}", "w") as file:
        file.write(str(int(value)))


class Flood:
    """Sends the same packets again and again from `inside`, many a system call, past all queues.

    The kernel carries a packet the whole way through the router within the call that sends it, on the same
    processor: so the thread's processor time is what the way costs, whoever else uses the machine.
    """

    def __init__(self, router: Router, packets: Sequence[bytes]) -> None:
        with router.inside.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self._socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
            self._socket.bind(("out", 0))
        self._buffer = np.frombuffer(b"".join(packets), np.uint8).copy()
        lengths = np.array([len(packet) for packet in packets], np.uint64)
        self._iovec = np.zeros(len(packets), _IOVEC)
        self._iovec["length"] = lengths
        self._iovec["base"] = self._buffer.ctypes.data + np.cumsum(lengths) - lengths
        self._headers = np.zeros(len(packets), _MMSGHDR)
        self._headers["iovlen"] = 1
        self._headers["iov"] = self._iovec.ctypes.data + np.arange(len(packets), dtype=np.uint64) * _IOVEC.itemsize

    def send(self, count: int) -> int:
        """Send `count` packets, from the first on; returns how many were taken."""
        sent = 0
        while sent < count:
            at = sent % len(self._headers)
            most = min(count - sent, len(self._headers) - at, BATCH)
            head = ctypes.c_void_p(int(self._headers.ctypes.data) + at * _MMSGHDR.itemsize)
            done = _libc.sendmmsg(self._socket.fileno(), head, most, 0)
            if done < 0:
                raise OSError(ctypes.get_errno(), "sendmmsg")
            sent += done
        return sent

    def close(self) -> None:
        self._socket.close()


def ethernet(version: int) -> bytes:
    """The header in front of each packet, to the router."""
    target = bytes.fromhex(ROUTER_IN.replace(":", ""))
    return target + bytes.fromhex("020000000002") + (b"\x08\x00" if version == 4 else b"\x86\xdd")


def packet4(source: int, target: int, protocol: int, dport: int) -> bytes:
    """An IPv4 packet of 60 octets and its Ethernet header; the transport's checksum, which no router reads, is 0."""
    header = bytearray(20)
    header[0], header[8], header[9] = 0x45, 64, protocol
    header[2:4] = (60).to_bytes(2, "big")
    header[12:20] = source.to_bytes(4, "big") + target.to_bytes(4, "big")
    total = sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, 20, 2))
    total = (total & 0xFFFF) + (total >> 16)
    header[10:12] = (0xFFFF - ((total & 0xFFFF) + (total >> 16))).to_bytes(2, "big")
    return ethernet(4) + bytes(header) + _transport(protocol, dport)


def packet6(source: int, target: int, protocol: int, dport: int) -> bytes:
    """Likewise for IPv6: 80 octets."""
    header = b"\x60\0\0\0" + (40).to_bytes(2, "big") + bytes([protocol, 64])
    return ethernet(6) + header + source.to_bytes(16, "big") + target.to_bytes(16, "big") + _transport(protocol, dport)


def _transport(protocol: int, dport: int) -> bytes:
    """40 octets: a UDP datagram, or a TCP SYN."""
    ports = (50000).to_bytes(2, "big") + dport.to_bytes(2, "big")
    if protocol == 17:
        return ports + (40).to_bytes(2, "big") + bytes(34)
    return ports + bytes(8) + b"\xa0\x02" + bytes(26)


def integers(seed: int, low: int, high: int, count: int) -> NDArray[Any]:
    """Distinct sorted integers of [low, high), the same for the same seed."""
    drawn = np.random.default_rng(seed).choice(high - low, count, replace=False, shuffle=False)
    return np.sort(drawn) + low
