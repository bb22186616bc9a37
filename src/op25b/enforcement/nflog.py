"""A socket for the records of an NFLOG group (linux/netfilter/nfnetlink_log.h). Needs CAP_NET_ADMIN; reading does not.

The kernel gathers a hundred records before it hands them over, or waits a tenth of a second: one datagram costs as
much as one record.
"""

from __future__ import annotations

import errno
import socket
import struct

from op25b.enforcement.netlink import (
    NETLINK_NETFILTER,
    NLM_F_ACK,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    SO_RCVBUFFORCE,
    NetlinkError,
    attribute,
)
from op25b.errors import Missing

_ULOG, _MSG_CONFIG = 4, 1
_CFG_CMD, _CFG_MODE, _CFG_NLBUFSIZ, _CFG_TIMEOUT, _CFG_QTHRESH, _CFG_FLAGS = 1, 2, 3, 4, 5, 6
_CMD_BIND, _COPY_PACKET, _F_SEQ = 1, 2, 1
_HEADER = struct.Struct("=IHHII")
_ERRNO = struct.Struct("=i")

COPIED = 128
"""Octets of each packet: what its headers take."""
_GATHERED = 100
_WAIT = 10
"""Hundredths of a second."""
_DATAGRAM = 1 << 17  # the most that the kernel allows
_BUFFER = 64 << 20  # the kernel doubles what is asked for: half a million records


def opened(group: int) -> socket.socket:
    """NetlinkError: EBUSY, another program has the group. Missing: the kernel's nfnetlink_log."""
    try:
        found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    except OSError as error:
        raise NetlinkError(error.errno or errno.EIO, "opening a socket to netfilter") from None
    try:
        found.settimeout(1)
        _ask(found, group, attribute(_CFG_CMD, bytes([_CMD_BIND])))
        found.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER)
        _ask(
            found,
            group,
            attribute(_CFG_NLBUFSIZ, struct.pack(">I", _DATAGRAM))
            + attribute(_CFG_QTHRESH, struct.pack(">I", _GATHERED))
            + attribute(_CFG_TIMEOUT, struct.pack(">I", _WAIT))
            + attribute(_CFG_FLAGS, struct.pack(">H", _F_SEQ)),
        )
        # from here on records come
        _ask(found, group, attribute(_CFG_MODE, struct.pack(">IBx", COPIED, _COPY_PACKET)))
    except BaseException:
        found.close()
        raise
    return found


def _ask(log: socket.socket, group: int, attributes: bytes) -> None:
    body = struct.pack(">BBH", 0, 0, group) + attributes
    kind, flags = _ULOG << 8 | _MSG_CONFIG, NLM_F_REQUEST | NLM_F_ACK
    what = f"binding NFLOG group {group}"
    try:
        log.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)
        answer = log.recv(4096)
    except OSError as error:
        raise NetlinkError(error.errno or errno.EIO, what) from None
    if _HEADER.unpack_from(answer)[1] != NLMSG_ERROR:
        raise NetlinkError(errno.EPROTO, what)
    number = -_ERRNO.unpack_from(answer, _HEADER.size)[0]
    if number == errno.EPERM:
        # also what it says without the privilege; the enforcer has made sure of that when it started
        number = errno.EBUSY
    if number in (errno.EINVAL, errno.EOPNOTSUPP):
        raise Missing("this kernel logs to no NFLOG group: load the module (modprobe nfnetlink_log)")
    if number:
        raise NetlinkError(number, what)
