"""The sockets that Postfix connects to. The supervisor makes them, so that they outlive the process that answers."""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from op25b.errors import Missing, UserError
from op25b.submission.config import Postfix
from op25b.submission.driver import listening
from op25b.submission.postfix.endpoints import is_path, network_endpoint

_MODE = 0o660


def opened(postfix: Postfix) -> dict[str, socket.socket]:
    """One listening socket for each of `auth` and `policy` that is configured.

    Raises UserError for a place that is taken, or that Postfix could not reach, Missing for a missing privilege.
    """
    made = {}
    for name in ("auth", "policy"):
        if (endpoint := getattr(postfix, name)) is not None:
            made[name] = _unix(Path(endpoint), postfix.group) if is_path(endpoint) else _network(endpoint)
    return made


def removed(postfix: Postfix) -> None:
    """Takes the sockets' files away: nothing listens any more."""
    for endpoint in (postfix.auth, postfix.policy):
        if endpoint is not None and is_path(endpoint):
            Path(endpoint).unlink(missing_ok=True)


def _network(endpoint: str) -> socket.socket:
    return listening.single(*network_endpoint(endpoint))


def _unix(path: Path, group: str) -> socket.socket:
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        raise UserError(
            f"postfix.group: this host has no group {group!r}; write the one that Postfix runs as"
        ) from None
    _clear(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    # nobody can connect before the group is right
    before = os.umask(0o177)
    try:
        made.bind(str(path))
        _admit(path, number)
        made.listen(listening.BACKLOG)
    except OSError as error:
        made.close()
        raise _unusable(path, group, error) from None
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


def _unusable(path: Path, group: str, error: OSError) -> UserError | Missing:
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
