"""The sockets, made before the workers are: one for each worker on each port, between which the kernel divides clients.

The supervisor keeps them all open. What waits in the queue of a worker that died waits for the next one.
"""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from op25b.errors import Missing, UserError

Address = IPv4Address | IPv6Address
BACKLOG = 1024
_MODE = 0o660
_SO_RCVBUFFORCE = 33  # linux/asm-generic/socket.h; Python has no name for it


def sockets(address: Address, port: int, count: int) -> list[socket.socket]:
    """Raises UserError if the port is in use or the address not this host's, Missing if a privilege is."""
    # SO_REUSEPORT would let a second service of the same user in beside this one
    _bound(address, port, shared=False).close()
    return [_bound(address, port, shared=True) for _ in range(count)]


def single(address: Address, port: int) -> socket.socket:
    """One socket; raises as `sockets`."""
    return _bound(address, port, shared=False)


def datagrams(address: Address, port: int, octets: int) -> socket.socket:
    """One UDP socket, whose queue holds so many octets, or as many as the kernel lets it; raises as `sockets`."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
    with suppress(OSError):  # beyond net.core.rmem_max with a privilege only
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, octets)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        made.bind((str(address), port))
    except OSError as error:
        made.close()
        raise _unusable(address, port, error) from error
    return made


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
        return UserError(f"{place}: in use by another program (`ss -ltunp 'sport = {port}'` says which); stop that one")
    if error.errno == errno.EADDRNOTAVAIL:
        return UserError(f"{place}: this host does not have the address; give one that `ip address` shows")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Missing(
            f"{place}: ports below 1024 need a privilege; run it by examples/systemd/op25b.service, "
            "or with the capability CAP_NET_BIND_SERVICE"
        )
    return UserError(f"{place}: {error.strerror}")


def unix(path: Path, group: str, setting: str) -> socket.socket:
    """A socket at a path, for this user and the members of a group; `setting` is the one that names the group.

    Raises UserError for a place that is taken or out of reach, Missing for a missing privilege.
    """
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        raise UserError(f"{setting}: this host has no group {group!r}; write the one of who is to connect") from None
    _clear(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    # nobody can connect before the group is right
    before = os.umask(0o177)
    try:
        made.bind(str(path))
        _admit(path, number)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise _unusable_path(path, group, error) from None
    finally:
        os.umask(before)
    return made


def _admit(path: Path, group: int) -> None:
    # in a folder with the setgid bit it has the group already, and no privilege is needed
    if path.stat().st_gid != group:
        os.chown(path, -1, group)
    path.chmod(_MODE)


def _clear(path: Path) -> None:
    """Removes what a service left behind that was killed. Raises UserError if one is still there."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UserError(f"{path}: there already, and not a socket; name a path that is free")
    except OSError:
        return  # not there; if it is out of reach, so it is for bind, which says why
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                path.unlink()
        except OSError as error:
            raise UserError(f"{path}: in use, and not by this user ({error.strerror}); stop what has made it") from None
        else:
            raise UserError(f"{path}: in use by another program (`ss -lxp src {path}` says which); stop that one")


def _unusable_path(path: Path, group: str, error: OSError) -> UserError | Missing:
    make = f"`install -d -o USER -g {group} -m 2750 {path.parent}` makes it, USER being op25b's"
    if error.errno == errno.ENOENT:
        return UserError(f"{path}: the folder {path.parent} is not there; {make}")
    if error.errno in (errno.EACCES, errno.EPERM):
        path.unlink(missing_ok=True)
        return Missing(
            f"{path}: this user may not make a socket there that the group {group} can use; "
            f"the folder must belong to it and hand on its group; {make}"
        )
    return UserError(f"{path}: {error.strerror or error}")
