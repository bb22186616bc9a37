"""Starts the process that holds a lab's namespaces, enters them, ends them. See holder.py for its side."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from op25b.errors import Missing
from op25b.lab import holder
from op25b.lab.records import Record, start_time

_START_SECONDS = 20.0
_END_SECONDS = 20.0
_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid


def start(policy: str, keep: Callable[[Record], None]) -> None:
    """Start a lab's holder, and call `keep` with its record before the holder is let go on.

    The holder outlives this process only after `keep` has returned. Raises Missing when the kernel does not
    let this user make namespaces.
    """
    rootless = os.geteuid() != 0
    ours, theirs = socket.socketpair()
    # before there is anybody who could send: what is sent before it names nobody
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    with ours, subprocess.Popen(
        [
            "setsid", "--fork",  # it is nobody's child, so nobody has to wait for it
            "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
            *(["--user", "--map-root-user"] if rootless else []),
            sys.executable, "-I", "-S", holder.__file__, str(theirs.fileno()),
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=environment(), pass_fds=[theirs.fileno()], cwd="/",
    ) as starter:  # fmt: skip
        theirs.close()
        pid = _await_ready(ours)
        started = start_time(pid) if pid is not None else None
        if pid is None or started is None:  # it did not begin, or has ended already
            assert starter.stderr is not None
            raise Missing(_why_not(starter.stderr.read(), rootless))
        keep(Record(pid, started, rootless, policy))
        ours.send(b"go")


def environment() -> dict[str, str]:
    """Ours, with the administrator's directories on PATH, where ip, nft and postfix are."""
    path = os.environ.get("PATH", "")
    return os.environ | {"PATH": f"{path}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def entering(record: Record, host: str | None = None) -> list[str]:
    """The command that runs what follows it inside the lab, in a host when one is named."""
    target = str(record.holder)
    user = ["--user", "--preserve-credentials"] if record.rootless else []
    network = f"--net=/proc/{target}/root/run/netns/{host}" if host else "--net"
    return ["nsenter", f"--target={target}", *user, "--mount", "--pid", network, "--"]


def end(record: Record) -> None:
    """Kill the holder, and by that everything inside the lab; returns when all of it is dead."""
    try:
        handle = os.pidfd_open(record.holder)
    except ProcessLookupError:
        return
    try:
        # Asked after the handle was opened, so that it is the holder and no successor of its id.
        if record.alive:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], _END_SECONDS)
    finally:
        os.close(handle)


def _await_ready(ours: socket.socket) -> int | None:
    """The holder's process id as seen from here, which the kernel tells (unix(7), SCM_CREDENTIALS)."""
    ours.settimeout(_START_SECONDS)
    data, ancillary, _, _ = ours.recvmsg(16, socket.CMSG_SPACE(_CREDENTIALS.size))
    if not data:
        return None
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return int(_CREDENTIALS.unpack(content)[0])
    return None


def _why_not(said: str, rootless: bool) -> str:
    reason = said.strip().splitlines()[-1] if said.strip() else "no reason given"
    if not rootless:
        return f"the lab needs namespaces and may not make them ({reason}); run it with CAP_SYS_ADMIN"
    return (
        f"the lab needs root or user namespaces, and this user may not make them ({reason}); run it as root, "
        "or allow them: sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000 "
        "kernel.apparmor_restrict_unprivileged_userns=0 (those that this kernel has)"
    )
