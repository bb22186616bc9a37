"""The first process of a lab: it holds the lab's namespaces, and reaps what is orphaned inside them.

A program of its own, standard library only, run as PID 1 of the lab's PID namespace; its one argument is
the descriptor of a socket to whoever starts the lab. Its end is the end of the lab: the kernel then kills
every process of the PID namespace, and drops the network namespaces and mounts that nothing refers to.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

WORK = "/run/op25b-lab"  # inside the lab's own tmpfs: gone with the lab


def main() -> None:
    _private_files()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel then reaps for us
    starter = socket.socket(fileno=int(sys.argv[1]))
    starter.send(b"ready")
    # "go" means that the lab is on record: a starter that died before leaves no lab that nobody knows of.
    if starter.recv(2) != b"go":
        return
    starter.close()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    while True:
        signal.pause()


def _private_files() -> None:
    """A /run of our own, so that `ip netns` names are too; hosts and resolv.conf that know only the lab."""
    _mount("-t", "tmpfs", "-o", "mode=755", "lab", "/run")
    if os.path.isdir("/dev/shm"):  # what a program leaves there when it is killed goes with the lab
        _mount("-t", "tmpfs", "-o", "mode=1777", "lab", "/dev/shm")
    os.mkdir(WORK)
    os.mkdir("/run/netns")
    for name in ("hosts", "resolv.conf"):
        with open(f"{WORK}/{name}", "w", encoding="ascii") as file:
            # A name that is not in the hosts file is refused at once on loopback, not after a time-out.
            file.write("nameserver 127.0.0.1\n" if name == "resolv.conf" else "")
        if os.path.exists(f"/etc/{name}"):
            _mount("--bind", f"{WORK}/{name}", f"/etc/{name}")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    main()
