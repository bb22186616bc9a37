"""A hint from those who put something into the spool to the one who relays: look now.

A named pipe in the spool's folder, so that it reaches across processes that know nothing else of one another. No more
than a hint: it may be lost, and whoever waits for it must look by himself from time to time.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

NAME = "relay.bell"


class Bell:
    """The side that rings. Nobody need listen; it never waits and never fails."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._fd: int | None = None

    def ring(self) -> None:
        try:
            if self._fd is None:
                self._fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.write(self._fd, b"!")
        except BlockingIOError:
            pass  # it rings already
        except OSError:  # nobody listens, or no longer
            self.close()

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Ear:
    """The side that listens: of the process that has the spool to itself. `fd` is readable when it rang."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where the folder's file system has no named pipes."""
        path = folder / NAME
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # for writing too: its end would be read whenever the last who rings goes away
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISFIFO(os.fstat(self.fd).st_mode):
            self.close()
            raise OSError(errno.EEXIST, f"{path} is no named pipe")

    def hush(self) -> None:
        """Take what rang."""
        with suppress(BlockingIOError):
            os.read(self.fd, 1 << 16)

    def close(self) -> None:
        os.close(self.fd)
