"""What a process may no longer reach, whoever takes it over, and whatever the user may that it runs as.

Folders are kept from it by Landlock (landlock(7)), sockets of this host by a filter of system calls (seccomp(2)).
Neither needs a privilege, neither can be undone, and each is there for the processes that it starts as well.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_OF_FILES = 0b111 | 1 << 14 | 1 << 15
"""Execute, write, read; truncate; ioctl of a device: the rights that there are of something that is no folder."""
_NEWER = {2: 13, 3: 14, 5: 15}
"""The right that a version of Landlock brought, by its bit; the first had those below."""
_SCOPES, _SINCE_SCOPES = 0b11, 6
"""Abstract sockets and signals stay among those who are confined alike."""
_SOCKET = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""Of a machine: the architecture as seccomp names it (linux/audit.h), and the number of socket(2)."""
_IO_URING_SETUP = 425
_X32 = 0x40000000
"""Numbers from here on are the same calls of x86_64, by another way."""
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Where they stand in what a filter sees (struct seccomp_data); the machines above are little-endian."""


def keep_from(folders: Iterable[Path]) -> bool:
    """Nothing beneath these can be opened, made, changed or removed any more; False: this kernel has no Landlock.

    Everything else stays as it is, but for one thing: what somebody makes from now on right in a folder *above* one
    of these cannot be opened either, since Landlock knows only what may be reached. Processes that are not confined
    are beyond signals and ptrace. To be called before there are threads: it is for the one that calls, and those after.
    """
    version = _LIBC.syscall(_CREATE_RULESET, None, 0, _VERSION)
    if version < 1:
        return False
    rights = (1 << 13) - 1 | sum(1 << bit for since, bit in _NEWER.items() if version >= since)
    scopes = _SCOPES if version >= _SINCE_SCOPES else 0
    # an older kernel takes the fields that it does not know if they are zero
    attributes = struct.pack("=QQQ", rights, 0, scopes)
    with _closed(_checked(_LIBC.syscall(_CREATE_RULESET, attributes, len(attributes), 0))) as ruleset:
        for path in _beside({folder.resolve() for folder in folders}):
            _allow(ruleset, path, rights)
        _checked(_LIBC.syscall(_RESTRICT_SELF, ruleset, 0))
    return True


def _beside(kept: set[Path]) -> Iterator[Path]:
    """Everything that there is, as few folders as possible, without `kept`; nothing that leads elsewhere."""
    above = {parent for folder in kept for parent in folder.parents}
    for folder in above - kept:
        try:
            entries = [*os.scandir(folder)]
        except OSError:
            continue  # what it may not look into, it need not reach
        for entry in entries:
            if not entry.is_symlink() and (path := Path(entry.path)) not in above | kept:
                yield path


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        found = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # it has gone, or may not be reached anyway
    with _closed(found):
        wanted = rights if path.is_dir() else rights & _OF_FILES
        _checked(_LIBC.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", wanted, found), 0))


def keep_from_sockets_of_this_host() -> bool:
    """No socket of the family AF_UNIX can be made any more, but for pairs; False: not known how on this machine.

    Needs no_new_privs, which `privilege.drop` sets.
    """
    if platform.machine() not in _SOCKET:
        return False
    architecture, number = _SOCKET[platform.machine()]
    last = 9
    # code, how many steps to leave out where it is so, and where not, and the constant
    steps = (
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, last - 2, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, last - 4, 0, _X32),
        # a ring takes requests for sockets, past every filter
        (_EQUAL, last - 5, 0, _IO_URING_SETUP),
        (_EQUAL, 0, last - 7, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 1, 0, socket.AF_UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | errno.EACCES),
    )
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    pointer = struct.pack("@HP", len(steps), ctypes.addressof(program))
    _checked(_LIBC.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, pointer))
    return True


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


@contextmanager
def _closed(handle: int) -> Iterator[int]:
    try:
        yield handle
    finally:
        os.close(handle)
