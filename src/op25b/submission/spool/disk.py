"""What the spool asks of the operating system, in one place: tests replace it to fail, to lose and to record."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

Clock = Callable[[], datetime]
Entropy = Callable[[int], bytes]


class Disk:
    """The real one. Every call may raise OSError; a write that fails may have written a part."""

    def open(self, path: Path, flags: int) -> int:
        return os.open(path, flags | os.O_CLOEXEC, 0o600)

    def close(self, fd: int) -> None:
        os.close(fd)

    def write(self, fd: int, data: bytes) -> None:
        """All of `data`, at the file's position (its end, for a file opened to append)."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def overwrite(self, fd: int, data: bytes, offset: int) -> None:
        os.pwrite(fd, data, offset)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end of the file."""
        blocks = []
        while size and (block := os.pread(fd, size, offset)):
            blocks.append(block)
            size -= len(block)
            offset += len(block)
        return b"".join(blocks)

    def size(self, fd: int) -> int:
        return os.fstat(fd).st_size

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        os.fdatasync(fd)

    def sync_folder(self, path: Path) -> None:
        """Makes names in `path` that were made, renamed or removed stay so after a loss of power."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        os.rename(old, new)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)

    def names(self, path: Path) -> list[str]:
        return sorted(os.listdir(path))

    def own_like(self, fd: int, path: Path) -> None:
        """Gives a file that root made to the owner of `path`, who is to write to it too."""
        if os.geteuid() == 0:
            owner = path.stat()
            os.fchown(fd, owner.st_uid, owner.st_gid)

    def lock(self, fd: int, *, wait: bool) -> bool:
        """Takes the file's lock for as long as it stays open; False if another holds it and `wait` is not set."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True


REAL = Disk()
