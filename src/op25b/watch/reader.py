"""Reading an NFLOG group through a descriptor that somebody with the privilege has opened and bound."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass

from op25b.watch.nflog import Records, Span, boundaries, parse

BUFFER = 8 << 20
"""Octets read before they are parsed: some forty thousand records."""
_LARGEST = 1 << 17  # NFULNL_CFG_NLBUFSIZ is at most this


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
    """All that waits in an NFLOG socket, which is made non-blocking, in batches; `now`: microseconds since 1970."""

    def __init__(self, log: socket.socket, now: Callable[[], int]) -> None:
        log.setblocking(False)
        self.counts = Counts()
        self._log, self._now = log, now
        self._buffer = memoryview(bytearray(BUFFER))
        self._last: int | None = None

    def fileno(self) -> int:
        """To wait on."""
        return self._log.fileno()

    def read(self) -> Records:
        """What has come, as far as the buffer takes it; nothing where nothing has."""
        spans = list[Span]()
        at = 0
        while at + _LARGEST <= BUFFER:
            try:
                size = self._log.recv_into(self._buffer[at:])
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.counts.overruns += 1
                continue
            spans += boundaries(self._buffer, at, at + size)
            at += size + -size % 4
        records = parse(self._buffer, spans, self._now())
        self._count(records, len(spans))
        return records

    def _count(self, records: Records, count: int) -> None:
        self.counts.records += count
        self.counts.unreadable += records.unreadable
        if not len(records.sequence):
            return
        # unreadable records have taken numbers too, so `count` is what came; numbers wrap at 2**32
        newest = int(records.sequence[(records.sequence - records.sequence[0]).astype("i4").argmax()])
        if self._last is not None:
            self.counts.lost += ((newest - self._last) - count) % (1 << 32)
        self._last = newest
