"""Reading an NFLOG group through a descriptor that somebody with the privilege has opened and bound."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from op25b.watch.nflog import Records, Span, boundaries, parse

DATAGRAMS = 64
"""Taken by one system call: some six thousand records. Python's own way takes one, and between two of them another
thread may have the interpreter for five milliseconds."""
_LARGEST = 1 << 17  # NFULNL_CFG_NLBUFSIZ is at most this
_LIBC = ctypes.CDLL(None, use_errno=True)
_MMSGHDR = np.dtype(
    [(name, "u8") for name in ("name", "namelen", "iov", "iovlen", "control", "controllen", "flags")]
    + [("size", "u4"), ("padding", "u4")]
)
_IOVEC = np.dtype([("base", "u8"), ("length", "u8")])


@dataclass
class Counts:
    """What has become of the group's records since the start."""

    records: int = 0
    lost: int = 0
    """By the gaps in the kernel's numbers."""
    overruns: int = 0
    """How often the kernel said that the socket's buffer was full."""
    unreadable: int = 0


class Reader:
    """What waits in an NFLOG socket, in batches; `now`: microseconds since 1970."""

    def __init__(self, log: socket.socket, now: Callable[[], int]) -> None:
        self.counts = Counts()
        self._log, self._now = log, now
        self._buffer = np.zeros(DATAGRAMS * _LARGEST, np.uint8)
        self._iovec = np.zeros(DATAGRAMS, _IOVEC)
        self._iovec["base"] = self._buffer.ctypes.data + np.arange(DATAGRAMS, dtype=np.uint64) * _LARGEST
        self._iovec["length"] = _LARGEST
        self._headers = np.zeros(DATAGRAMS, _MMSGHDR)
        self._headers["iov"] = self._iovec.ctypes.data + np.arange(DATAGRAMS, dtype=np.uint64) * _IOVEC.itemsize
        self._headers["iovlen"] = 1
        self._last: int | None = None
        self._since = 0
        """Records since the one with that number."""

    def fileno(self) -> int:
        """To wait on."""
        return self._log.fileno()

    def read(self) -> Records:
        """A batch of what has come; an empty one where nothing has, or records of no use."""
        sizes = self._receive()
        spans, view = list[Span](), self._buffer.data
        for number, size in enumerate(sizes):
            spans += boundaries(view, number * _LARGEST, number * _LARGEST + size)
        records = parse(view, spans, self._now())
        self._count(records, len(spans))
        return records

    def _receive(self) -> list[int]:
        """The sizes of the datagrams that are in the buffer now, each at its place."""
        while True:
            head = ctypes.c_void_p(self._headers.ctypes.data)
            got = _LIBC.recvmmsg(self._log.fileno(), head, DATAGRAMS, socket.MSG_DONTWAIT, None)
            if got >= 0:
                found: list[int] = self._headers["size"][:got].tolist()
                return found
            number = ctypes.get_errno()
            if number == errno.EAGAIN:
                return []
            if number not in (errno.ENOBUFS, errno.EINTR):
                raise OSError(number, f"reading the log: {os.strerror(number)}")
            self.counts.overruns += number == errno.ENOBUFS

    def _count(self, records: Records, count: int) -> None:
        self.counts.records += count
        self.counts.unreadable += records.unreadable
        # unreadable records have taken numbers too
        self._since += count
        if not len(records.sequence):
            return
        # numbers wrap at 2**32
        newest = int(records.sequence[(records.sequence - records.sequence[0]).astype("i4").argmax()])
        if self._last is not None:
            self.counts.lost += max(0, (newest - self._last) % (1 << 32) - self._since)
        self._last, self._since = newest, 0
