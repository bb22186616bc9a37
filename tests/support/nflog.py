"""An NFLOG group, opened and bound in the present network namespace (linux/netfilter/nfnetlink_log.h)."""

from __future__ import annotations

import socket
import struct

_NETLINK_NETFILTER, _ULOG = 12, 4
_MSG_CONFIG = 1
_CFG_CMD, _CFG_MODE, _CFG_BUFFER, _CFG_TIMEOUT, _CFG_THRESHOLD, _CFG_FLAGS = 1, 2, 3, 4, 5, 6
_BIND, _COPY_PACKET, _SEQUENCE = 1, 2, 1
_COPIED, _BUFFER, _HUNDREDTHS, _THRESHOLD = 128, 1 << 16, 10, 100
_RECEIVE = 64 << 20


def opened(group: int) -> socket.socket:
    """Sends a hundred records a datagram, or what there is after a tenth of a second; numbered."""
    found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    found.setsockopt(socket.SOL_SOCKET, 33, _RECEIVE)  # SO_RCVBUFFORCE
    for kind, value in (
        (_CFG_CMD, struct.pack("=B", _BIND)),
        (_CFG_MODE, struct.pack(">IBx", _COPIED, _COPY_PACKET)),
        (_CFG_BUFFER, struct.pack(">I", _BUFFER)),
        (_CFG_TIMEOUT, struct.pack(">I", _HUNDREDTHS)),
        (_CFG_THRESHOLD, struct.pack(">I", _THRESHOLD)),
        (_CFG_FLAGS, struct.pack(">H", _SEQUENCE)),
    ):
        attribute = struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
        body = struct.pack(">BBH", 0, 0, group) + attribute
        found.send(struct.pack("=IHHII", 16 + len(body), _ULOG << 8 | _MSG_CONFIG, 5, 1, 0) + body)
        answer = struct.unpack_from("=i", found.recv(4096), 16)[0]
        assert answer == 0, (kind, answer)
    return found
