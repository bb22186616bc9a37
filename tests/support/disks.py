"""Real file systems for tests to fill and to crash. They need root and, but for `small`, loop devices."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN, the same as XFS_IOC_GOINGDOWN
_WITHOUT_FLUSHING_THE_JOURNAL = 2


@contextmanager
def small(mount: Path, megabytes: int) -> Iterator[None]:
    """A file system in memory that is soon full."""
    mount.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", str(mount))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


class Crashing:
    """ext4 that can lose power: what was not synced is gone, in the kernel's page cache as in the journal.

    What the kernel had handed to the device is not lost, as it may be with a disk that ignores flushes.
    """

    def __init__(self, image: Path, mount: Path) -> None:
        self._image, self.mount = image, mount
        with image.open("wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        mount.mkdir()

    def __enter__(self) -> Crashing:
        _mount("-o", "loop", str(self._image), str(self.mount))
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self.mount)], check=True)

    def come_back(self) -> None:
        """After `lose_power`: the file system as the device has it.

        On a copy of the device: the old one lives on while any mount namespace on this machine has it.
        """
        self.__exit__()
        after = self._image.with_suffix(".after")
        subprocess.run(["cp", "--sparse=always", str(self._image), str(after)], check=True)
        self._image.unlink()
        after.rename(self._image)
        self.__enter__()

    def lose_power(self) -> None:
        """From here on every call on it fails, until `come_back`."""
        fd = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSHING_THE_JOURNAL))
        finally:
            os.close(fd)


def enlarge(mount: Path, megabytes: int) -> None:
    """Room on a `small` file system."""
    _mount("-o", f"remount,size={megabytes}m", str(mount))


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
