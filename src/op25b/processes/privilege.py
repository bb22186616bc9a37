"""What a process may do beyond its own memory: each job keeps the capabilities that it is given, and no other.

By the calls of capabilities(7) and prctl(2), through the C library.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from op25b.errors import Missing, UserError

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_KEEPCAPS, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 8, 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522


class Capability(IntEnum):
    """Those that matter here; the numbers are the kernel's (linux/capability.h)."""

    SETGID = 6
    SETUID = 7
    SETPCAP = 8
    NET_ADMIN = 12


@dataclass(frozen=True)
class Identity:
    """Whom the jobs run as."""

    name: str
    uid: int
    gid: int


def identity(user: str | None) -> Identity | None:
    """Whom to become; None: stay who we are. Raises UserError if there is no such user, Missing if we may not."""
    if user is None:
        return None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise UserError(
            f"user: this host has no user {user!r}; `useradd --system --shell /usr/sbin/nologin {user}` makes one"
        ) from None
    if os.geteuid() == entry.pw_uid:
        return None
    if not (has(Capability.SETUID) and has(Capability.SETGID)):
        raise Missing(f"user: started as somebody else, who may not become {user}; start it as root, or as {user}")
    return Identity(user, entry.pw_uid, entry.pw_gid)


def has(capability: Capability) -> bool:
    """Whether this process may use it."""
    return bool(_status("CapEff") >> capability & 1)


def require(capability: Capability, what: str) -> None:
    """Raises Missing, with what it is for, if this process may not use it."""
    if not has(capability):
        raise Missing(
            f"{what} needs the capability CAP_{capability.name}; run it as root, or by examples/systemd/; "
            f"a container or a sandbox must grant it (`--cap-add {capability.name}`)"
        )


def drop(keep: Iterable[Capability], whom: Identity | None) -> None:
    """Become `whom`, keep these capabilities of those that there are, and never gain another, by exec neither.

    Raises Missing if this process may not become whom it is to be, or may not give up what it has.
    """
    kept = sum(1 << each for each in keep) & _status("CapPrm")
    if has(Capability.SETPCAP):
        # without it nothing can be taken out of the bounding set; no_new_privs makes that worth nothing
        for number in range(_status("CapBnd").bit_length()):
            if not kept >> number & 1:
                _prctl(_PR_CAPBSET_DROP, number)
    if whom is not None:
        _prctl(_PR_SET_KEEPCAPS, 1)
        try:
            os.setgroups([])
            os.setresgid(whom.gid, whom.gid, whom.gid)
            os.setresuid(whom.uid, whom.uid, whom.uid)
        except OSError as error:
            raise Missing(
                f"user: this process may not become {whom.name} ({error.strerror}); in a user namespace, map its ids"
            ) from None
    _set_capabilities(kept)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def tried(check: Callable[[], object], whom: Identity | None) -> None:
    """Do something as a job without capabilities would, in a process of its own.

    Raises the UserError or Missing that it raised there. Files that it makes belong to who will use them.
    """
    told, tell = os.pipe()
    if (pid := os.fork()) == 0:
        os._exit(_try(check, whom, tell))
    os.close(tell)
    with os.fdopen(told) as said:
        text = said.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == Missing.exit_status:
        raise Missing(text)
    if status:
        raise UserError(text or f"a check ended with status {status}; see above")


def _try(check: Callable[[], object], whom: Identity | None, tell: int) -> int:
    try:
        drop((), whom)
        check()
    except (UserError, Missing) as error:
        with os.fdopen(tell, "w") as said:
            said.write(str(error))
        return error.exit_status
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1
    return 0


def _status(name: str) -> int:
    lines = Path("/proc/thread-self/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith(f"{name}:"))


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    if _LIBC.prctl(option, ctypes.c_ulong(value), zero, zero, zero):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _set_capabilities(kept: int) -> None:
    """As both permitted and effective; none is inheritable."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    sets = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    if _LIBC.capset(header, sets):
        raise Missing(
            f"this process may not give up its privileges ({os.strerror(ctypes.get_errno())}); its sandbox must allow "
            "the system call capset, as examples/systemd/ does"
        )
