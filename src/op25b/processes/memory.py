"""Memory that is made before processes are forked and that they then share, and what they need to use it together."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import mmap
import os
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal


def cells(count: int, kind: Literal["I", "Q", "d"]) -> memoryview[Any]:
    """So many numbers of a kind (see struct), all 0. Memory is taken as they are written."""
    return memoryview(mmap.mmap(-1, count * struct.calcsize(kind))).cast(kind)


class Fingerprints:
    """Numbers of 64 bits, never 0, for keys of any length: nobody outside can choose keys that fall together."""

    def __init__(self) -> None:
        self._secret = os.urandom(16)

    def of(self, key: bytes) -> int:
        return int.from_bytes(hashlib.blake2b(key, digest_size=8, key=self._secret).digest(), "little") or 1


class Lock:
    """Between processes, not between the threads of one; the kernel frees it if its holder is killed."""

    def __init__(self) -> None:
        self._file, octets = _locks(os.getpid())
        self._at = next(octets)

    def __enter__(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, self._at)

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, self._at)


@lru_cache(1)
def _locks(_: int) -> tuple[int, Iterator[int]]:
    """The file of the locks that a process makes, which stays open, and its octets: one for each lock."""
    return os.memfd_create("locks"), itertools.count()
