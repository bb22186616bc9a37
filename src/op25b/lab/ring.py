"""Packets at a host's interfaces, by way of memory that the kernel writes them into (packet(7), PACKET_RX_RING).

A socket's queue is bounded by the system, and short for a user without rights; this memory is not.
"""

from __future__ import annotations

import fcntl
import mmap
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

_SOL_PACKET, _RX_RING, _STATISTICS, _VERSION = 263, 5, 6, 10
_TPACKET_V2 = 1
_SIOCGIFNAME = 0x8910
_FRAME, _BLOCK, _BLOCKS = 512, 1 << 16, 256
"""Octets: a frame has room for every header that is read, and the kernel takes memory a block at a time."""
_FRAMES = _BLOCK // _FRAME * _BLOCKS
_STATUS = struct.Struct("=I")
_HEADER = struct.Struct("=IIIHHII")  # linux/if_packet.h, tpacket2_hdr: status, len, snaplen, mac, net, sec, nsec
_ADDRESS_AT = 32
_ADDRESS = struct.Struct("=HHiHB")  # sockaddr_ll: family, protocol, interface, hardware, kind of packet
_OF_USER, _OF_KERNEL = 1, 0


class Frame(NamedTuple):
    """A packet from its network header on: when (seconds since the epoch), at which interface, and which way."""

    at: float
    interface: str
    leaving: bool
    data: bytes


class Ring:
    """What a packet socket of type SOCK_DGRAM gets, from now on. At most 32,768 packets between two `frames`."""

    def __init__(self, tap: socket.socket) -> None:
        tap.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V2)
        tap.setsockopt(_SOL_PACKET, _RX_RING, struct.pack("=IIII", _BLOCK, _BLOCKS, _FRAME, _FRAMES))
        self._tap, self._memory = tap, mmap.mmap(tap.fileno(), _BLOCK * _BLOCKS)
        self._next = 0
        self._names: dict[int, str] = {}

    def frames(self) -> Iterator[Frame]:
        """What came since the last time."""
        while True:
            start = self._next * _FRAME
            status, _, size, _, data, seconds, nanoseconds = _HEADER.unpack_from(self._memory, start)
            if not status & _OF_USER:
                return
            _, _, interface, _, kind = _ADDRESS.unpack_from(self._memory, start + _ADDRESS_AT)
            octets = self._memory[start + data : start + data + size]
            _STATUS.pack_into(self._memory, start, _OF_KERNEL)
            self._next = (self._next + 1) % _FRAMES
            yield Frame(seconds + nanoseconds / 1e9, self._name(interface), kind == socket.PACKET_OUTGOING, octets)

    def lost(self) -> int:
        """Packets for which there was no room since the last time."""
        statistics = self._tap.getsockopt(_SOL_PACKET, _STATISTICS, 8)
        return int(struct.unpack("=II", statistics)[1])

    def _name(self, interface: int) -> str:
        if interface not in self._names:
            request = fcntl.ioctl(self._tap, _SIOCGIFNAME, struct.pack("=16xi20x", interface))
            self._names[interface] = request[:16].rstrip(b"\0").decode()
        return self._names[interface]

    def close(self) -> None:
        """Give the memory back; the socket stays its owner's."""
        self._memory.close()
