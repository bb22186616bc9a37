"""The sockets, made before the workers are: one for each worker on each port, between which the kernel divides clients.

The supervisor keeps them all open. What waits in the queue of a worker that died waits for the next one.
"""

from __future__ import annotations

import errno
import socket

from op25b.errors import Missing, UserError
from op25b.policy.intervals import Address

BACKLOG = 1024


def sockets(address: Address, port: int, count: int) -> list[socket.socket]:
    """Raises UserError if the port is in use or the address not this host's, Missing if a privilege is."""
    # SO_REUSEPORT would let a second service of the same user in beside this one
    _bound(address, port, shared=False).close()
    return [_bound(address, port, shared=True) for _ in range(count)]


def single(address: Address, port: int) -> socket.socket:
    """One socket; raises as `sockets`."""
    return _bound(address, port, shared=False)


def _bound(address: Address, port: int, shared: bool) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    # with the protocol left out, asyncio does not set TCP_NODELAY, and STARTTLS waits 43 ms for an ACK
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        made.bind((str(address), port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise _unusable(address, port, error) from error
    return made


def _unusable(address: Address, port: int, error: OSError) -> UserError | Missing:
    place = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    if error.errno == errno.EADDRINUSE:
        return UserError(f"{place}: in use by another program (`ss -ltnp 'sport = {port}'` says which); stop that one")
    if error.errno == errno.EADDRNOTAVAIL:
        return UserError(f"{place}: this host does not have the address; give one that `ip address` shows")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Missing(
            f"{place}: ports below 1024 need a privilege; run it by examples/op25b.service, "
            "or with the capability CAP_NET_BIND_SERVICE"
        )
    return UserError(f"{place}: {error.strerror}")
