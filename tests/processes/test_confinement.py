"""What a process that is confined may still do, tried by one that is nobody special, and by root."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from op25b.processes import confinement, privilege
from op25b.processes.privilege import Capability

from ..support.landlock import HAS_LANDLOCK, VERSION

SYSCALLS = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A host's folders: a spool beside a store, with something in each."""
    for name in ("var/spool/op25b", "var/spool/cron", "var/lib/op25b"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "one").write_text("one")
    (tmp_path / "link").symlink_to(tmp_path / "var")
    return tmp_path


def confined(place: Path, attempt: Callable[[], object]) -> int | None:
    """What a process that is kept from the spool gets for it: None, or the error's number."""
    return told(attempt, lambda: confinement.keep_from([place / "var/spool/op25b"]))


def told(attempt: Callable[[], object], confine: Callable[[], bool]) -> int | None:
    if (pid := os.fork()) == 0:
        try:
            privilege.drop(Capability, None)
            if not confine():
                os._exit(254)
            attempt()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno or 255)
        except BaseException:
            os._exit(255)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status or None


@HAS_LANDLOCK
@pytest.mark.parametrize(
    "attempt",
    [
        lambda spool: (spool / "one").read_text(),
        lambda spool: (spool / "one").write_text("two"),
        lambda spool: (spool / "one").unlink(),
        lambda spool: (spool / "two").write_text("two"),
        lambda spool: (spool / "one").rename(spool.parent.parent / "lib/op25b/two"),
        lambda spool: os.link(spool / "one", spool.parent.parent / "lib/op25b/two"),
        lambda spool: os.truncate(spool / "one", 0),
        lambda spool: os.listdir(spool),
        lambda spool: (spool.parent.parent.parent / "link/spool/op25b/one").read_text(),
        lambda spool: Path(f"/proc/self/root{spool}/one").read_text(),
        lambda spool: subprocess.run(["cat", spool / "one"], stderr=subprocess.DEVNULL, check=True),
    ],
)
def test_nothing_in_the_folder_can_be_reached(place: Path, attempt: Callable[[Path], object]) -> None:
    assert confined(place, lambda: attempt(place / "var/spool/op25b")) in (errno.EACCES, errno.EXDEV, 255)
    assert (place / "var/spool/op25b/one").read_text() == "one"
    assert sorted(os.listdir(place / "var/spool/op25b")) == ["one"]


@HAS_LANDLOCK
@pytest.mark.parametrize(
    "attempt",
    [
        lambda place: (place / "var/spool/cron/one").write_text("two"),
        lambda place: (place / "var/lib/op25b/one").rename(place / "var/lib/op25b/two"),
        lambda place: (place / "link/lib/op25b/three").write_text("three"),
        lambda place: subprocess.run([sys.executable, "-c", "import sqlite3"], check=True),
        lambda place: socket.socket(socket.AF_UNIX).close(),
        lambda place: Path("/proc/self/status").read_text(),
    ],
)
def test_everything_else_is_as_it_was(place: Path, attempt: Callable[[Path], object]) -> None:
    assert confined(place, lambda: attempt(place)) is None


@HAS_LANDLOCK
def test_a_folder_that_is_made_later_is_kept_from_it_too(place: Path) -> None:
    def attempt() -> None:
        (there / "one").read_text()

    there = place / "var/spool/later"
    made = os.pipe()

    def confine() -> bool:
        done = confinement.keep_from([there])
        os.read(made[0], 1)
        return done

    if (maker := os.fork()) == 0:
        there.mkdir()
        (there / "one").write_text("one")
        os.write(made[1], b".")
        os._exit(0)
    os.waitpid(maker, 0)
    assert told(attempt, confine) == errno.EACCES


@HAS_LANDLOCK
def test_who_is_not_confined_is_beyond_its_signals(place: Path) -> None:
    parent = os.getpid()
    expected = errno.EPERM if VERSION >= 6 else None
    assert confined(place, lambda: os.kill(parent, 0)) == expected
    assert confined(place, lambda: os.kill(os.getpid(), signal.SIGCONT)) is None


KNOWN = pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="not known how on this machine")


@KNOWN
def test_no_socket_of_this_host_but_those_of_networks_and_pairs() -> None:
    keep = confinement.keep_from_sockets_of_this_host
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        assert told(lambda kind=kind: socket.socket(socket.AF_UNIX, kind), keep) == errno.EACCES  # type: ignore[misc]
    for family in (socket.AF_INET, socket.AF_INET6):
        assert told(lambda family=family: socket.socket(family), keep) is None  # type: ignore[misc]
    assert told(socket.socketpair, keep) is None
    assert told(lambda: subprocess.run([sys.executable, "-c", ""], check=True), keep) is None


@KNOWN
def test_no_way_round_it() -> None:
    def call(number: int, *arguments: int) -> Callable[[], None]:
        def attempt() -> None:
            if SYSCALLS.syscall(number, *arguments) < 0:
                raise OSError(ctypes.get_errno(), "")

        return attempt

    keep = confinement.keep_from_sockets_of_this_host
    # a family's upper half is no part of it: the kernel takes an int
    socket_call = {"x86_64": 41, "aarch64": 198}[platform.machine()]
    assert told(call(socket_call, 1, 1, 0), keep) == errno.EACCES
    assert told(call(425, 1, 0), keep) == errno.EACCES
    if platform.machine() == "x86_64":
        assert told(call(0x40000000 + 41, 1, 1, 0), keep) == errno.EACCES
