"""A run is one worker's use of the spool, from opening to closing. All that it writes carries its name.

A worker holds the lock of its run's file, `RUN.run`, for as long as it lives: a run whose file can be locked is dead.
The file also says how far the run's log is committed, so that nothing is read before it was acknowledged. A run that
was closed, or was buried after its death, has no such file.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from op25b.submission.spool.disk import Clock, Disk

DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: none of them is mistaken for another
_LINE = 64


def base32(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 32)
        text = DIGITS[digit] + text
    return text or "0"


def run_of(name: str) -> str:
    """The run that a file belongs to."""
    return name.partition(".")[0].partition("-")[0]


def _number(name: str) -> int:
    """Of a run, from the name of any of its files; 0 for a foreign file."""
    number = 0
    for digit in run_of(name):
        number = number * 32 + DIGITS.find(digit)
        if digit not in DIGITS:
            return 0
    return number


@contextmanager
def births(disk: Disk, folder: Path) -> Iterator[int]:
    """The file of run numbers, locked: nobody else begins or buries a run meanwhile."""
    fd = disk.open(folder / "sequence", os.O_RDWR | os.O_CREAT)
    try:
        disk.lock(fd, wait=True)
        yield fd
    finally:
        disk.close(fd)


class Run:
    """One's own run. `name` is never used twice, not even after the folder was emptied or the clock set back."""

    def __init__(self, disk: Disk, folder: Path, worker: str, clock: Clock) -> None:
        self._disk = disk
        with births(disk, folder) as sequence:
            last = disk.read(sequence, _LINE, 0).strip()
            used = max([int(last) if last.isdigit() else 0, *map(_number, disk.names(folder))])
            number = max(used + 1, int(clock().timestamp()))
            disk.overwrite(sequence, b"%020d\n" % number, 0)
            disk.sync(sequence)
            self.name = base32(number)
            self._path = folder / f"{self.name}.run"
            self._fd = disk.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            disk.lock(self._fd, wait=True)
            disk.overwrite(self._fd, _progress_line(0, 0) + b"worker %s, pid %d\n" % (worker.encode(), os.getpid()), 0)
            disk.sync_folder(folder)

    def publish(self, segment: int, committed: int) -> None:
        """Lets readers read log `segment` up to byte `committed`, and all before it."""
        # A failure keeps nothing from being durable. Readers hear of it next time.
        with suppress(OSError):
            self._disk.overwrite(self._fd, _progress_line(segment, committed), 0)

    def end(self) -> None:
        """The run's files are whole; nothing will be added."""
        self._disk.unlink(self._path)
        self._disk.close(self._fd)


def _progress_line(segment: int, committed: int) -> bytes:
    text = b"%08d %020d" % (segment, committed)
    return (b"%s %08x" % (text, zlib.crc32(text))).ljust(_LINE - 1) + b"\n"


@dataclass(frozen=True, slots=True)
class Progress:
    """Of another's run: readable up to byte `committed` of log `segment`; with `dead`, without limit."""

    segment: int
    committed: int
    dead: bool


def progress(disk: Disk, folder: Path, run: str) -> Progress | None:
    """None if the run was closed. A line caught half-written reads as nothing committed: look again later."""
    try:
        fd = disk.open(folder / f"{run}.run", os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        if disk.lock(fd, wait=False):
            return Progress(0, 0, dead=True)
        text, _, crc = disk.read(fd, _LINE, 0).strip().rpartition(b" ")
    finally:
        disk.close(fd)
    if crc != b"%08x" % zlib.crc32(text):
        return Progress(0, 0, dead=False)
    segment, committed = map(int, text.split())
    return Progress(segment, committed, dead=False)


def bury(disk: Disk, folder: Path, run: str) -> bool:
    """Ends a dead run in its worker's place; False if it lives."""
    with births(disk, folder):
        found = progress(disk, folder, run)
        if found is not None and not found.dead:
            return False
        disk.unlink(folder / f"{run}.run")
        disk.sync_folder(folder)
    return True
