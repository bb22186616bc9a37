"""Taking messages in. `await entry.commit()` returns when the message would survive a loss of power, not before."""

from __future__ import annotations

import asyncio
import os
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from op25b.errors import UserError
from op25b.processes.commit import Done, GroupCommit, settle
from op25b.submission.spool import frames
from op25b.submission.spool.bell import Bell
from op25b.submission.spool.disk import REAL, Clock, Disk, Entropy
from op25b.submission.spool.envelope import Envelope, to_fields
from op25b.submission.spool.errors import failure
from op25b.submission.spool.runs import Run, base32

SEGMENT = 64 << 20
IN_MEMORY = 128 << 10


class Spool:
    """One worker's way into the spool; of one event loop. Open it after forking.

    A log is left for the next at `segment_size` bytes. A message beyond `in_memory` bytes goes to a file of its own
    as it arrives.
    """

    def __init__(
        self, disk: Disk, folder: Path, run: Run, token: str, segment_size: int = SEGMENT, in_memory: int = IN_MEMORY
    ) -> None:
        self.folder = folder
        self.disk = disk
        self.token = token
        self.in_memory = in_memory
        self.bodies = ThreadPoolExecutor(16, thread_name_prefix="spool-body")
        self._run = run
        self._log = _Log(disk, folder, run, token, segment_size)
        self.log = GroupCommit(self._log.append, "spool-log")
        self._count = 0

    @classmethod
    def open(
        cls,
        folder: Path,
        worker: str,
        *,
        clock: Clock,
        entropy: Entropy = os.urandom,
        disk: Disk = REAL,
        segment_size: int = SEGMENT,
        in_memory: int = IN_MEMORY,
    ) -> Spool:
        """Makes the folder if it is missing. Raises UserError if it cannot be used."""
        try:
            prepare(disk, folder)
            run = Run(disk, folder, worker, clock)
        except OSError as error:
            raise unusable(folder, error) from error
        return cls(disk, folder, run, entropy(8).hex(), segment_size, in_memory)

    def begin(self, envelope: Envelope) -> Entry:
        """A message that is about to arrive; to be used with `async with`."""
        self._count += 1
        return Entry(self, f"{self._run.name}-{base32(self._count)}", envelope)

    async def rotate(self) -> None:
        """Begins a new log with the next message, so that the old can go once its messages are delivered.

        To be called every few minutes: on a quiet server delivered mail would stay on the disk for long otherwise.
        """
        await self.log.call(self._log.leave)

    async def close(self) -> None:
        """Waits for the commits under way."""
        await self.log.close()
        self.bodies.shutdown()
        self._log.close()
        self._run.end()


def prepare(disk: Disk, folder: Path) -> None:
    if not folder.exists():
        disk.make_folder(folder)
        disk.sync_folder(folder.parent)


def unusable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"spool {folder}: {error.strerror}; it must be a folder on a local disk that the service's user owns"
    )


class Entry:
    """A message on its way in. Left without a commit, it leaves nothing behind.

    `queue_id` is good for the Received line; `envelope` may be replaced until the commit.
    """

    def __init__(self, spool: Spool, queue_id: str, envelope: Envelope) -> None:
        self.queue_id = queue_id
        self.envelope = envelope
        self.size = 0
        self._spool = spool
        self._crc = 0
        self._blocks: list[bytes] = []
        self._in_memory = 0
        self._file: _BodyFile | None = None
        self._committing = False

    async def __aenter__(self) -> Entry:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._committing:
            self.abort()

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self._crc = zlib.crc32(data, self._crc)
        self._blocks.append(data)
        self._in_memory += len(data)

    @property
    def wants_drain(self) -> bool:
        return self._in_memory > self._spool.in_memory

    async def drain(self) -> None:
        """To be awaited while `wants_drain`. Raises SpoolError: the message is lost then, every commit will fail."""
        if not self.wants_drain:
            return
        if self._file is None:
            self._file = _BodyFile(self._spool.disk, self._spool.folder / f"{self.queue_id}.body")
        blocks, self._blocks, self._in_memory = self._blocks, [], 0
        try:
            await asyncio.get_running_loop().run_in_executor(self._spool.bodies, self._file.write, blocks)
        except OSError as error:
            raise failure(error) from error

    async def commit(self) -> str:
        """The queue id, once the message is on the disk. Raises SpoolError (SpoolFull): it will not be delivered."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.submit(partial(settle, future))
        await future
        return self.queue_id

    def submit(self, done: Done) -> None:
        """`commit` for one who does not await: `done` is called with None then, or with the SpoolError."""
        # From here on the message may be read, whatever becomes of who waits: its file must stay.
        self._committing = True
        if self._file is None:
            self._append(self._blocks, done)
            return
        finished = asyncio.wrap_future(self._spool.bodies.submit(self._file.finish, self._blocks))
        finished.add_done_callback(lambda _: self._finished(finished, done))

    def _finished(self, file: asyncio.Future[None], done: Done) -> None:
        if (error := file.exception()) is None:
            self._append(None, done)
        else:
            self._settled(done, error)

    def _append(self, body: list[bytes] | None, done: Done) -> None:
        fields = {"id": self.queue_id, "size": self.size, "crc": f"{self._crc:08x}"} | to_fields(self.envelope)
        line = Line(frames.encode(self._spool.token, fields, body), has_file=body is None)
        self._spool.log.submit(line, partial(self._settled, done))

    def _settled(self, done: Done, error: BaseException | None) -> None:
        if isinstance(error, OSError):
            self.abort()
            error = failure(error)
        done(error)

    def abort(self) -> None:
        self._blocks = []
        if self._file is not None:
            self._spool.bodies.submit(self._file.discard)


class _BodyFile:
    """The file of a large message; used by threads. It counts only once the log has the message's line."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._path = path
        # A block may still be being written when its task is cancelled and the file is discarded.
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._failed: OSError | None = None

    def write(self, blocks: list[bytes]) -> None:
        with self._lock:
            if self._failed is not None:
                raise self._failed
            try:
                if self._fd is None:
                    self._fd = self._disk.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
                for block in blocks:
                    self._disk.write(self._fd, block)
            except OSError as error:
                self._failed = error
                raise

    def finish(self, blocks: list[bytes]) -> None:
        """Writes the last blocks and makes the content last; the log sees to the name."""
        self.write(blocks)
        with self._lock:
            assert self._fd is not None
            self._disk.sync(self._fd)
            self._disk.close(self._fd)
            self._fd = None

    def discard(self) -> None:
        with self._lock:
            self._failed = OSError(0, "the message was given up")
            if self._fd is not None:
                self._disk.close(self._fd)
                self._fd = None
            with suppress(OSError):  # what stays is set aside when the run is buried
                self._disk.unlink(self._path)


class Line(NamedTuple):
    """What the log takes: a message, or the line of one whose body has a file."""

    data: bytes
    has_file: bool


class _Log:
    """The log that messages are appended to; used by the thread of its group commit."""

    def __init__(self, disk: Disk, folder: Path, run: Run, token: str, segment_size: int) -> None:
        self._disk = disk
        self._folder = folder
        self._run = run
        self._token = token
        self._size = segment_size
        self._segment = 0
        self._fd: int | None = None
        self._committed = 0
        self._bell = Bell(folder)

    def append(self, lines: list[Line]) -> None:
        """Returns when all are on the disk; raises OSError when none will be delivered."""
        fd = self._begin() if self._fd is None else self._fd
        data = b"".join(line.data for line in lines)
        if any(line.has_file for line in lines):
            self._disk.sync_folder(self._folder)  # before the log, which must not speak of a file that is not there
        try:
            self._disk.write(fd, data)
        except OSError:
            self._take_back(fd)
            raise
        try:
            self._disk.sync(fd)
        except OSError:
            # After a failed sync the kernel holds the lost pages for clean: no later sync of this file can be believed.
            self._take_back(fd)
            self.leave()
            raise
        self._committed += len(data)
        self._run.publish(self._segment, self._committed)
        self._bell.ring()
        if self._committed >= self._size:
            self.leave()

    def leave(self) -> None:
        """The next message begins a new log."""
        if self._fd is None:
            return
        self._disk.close(self._fd)
        self._fd = None
        self._run.publish(self._segment + 1, 0)

    def close(self) -> None:
        self.leave()
        self._bell.close()

    def _begin(self) -> int:
        self._segment += 1
        path = self._folder / f"{self._run.name}.{self._segment:06}.log"
        line = frames.first_line(self._token)
        fd = self._disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        try:
            self._disk.write(fd, line)
            self._disk.sync(fd)
            self._disk.sync_folder(self._folder)
        except OSError:
            self._disk.close(fd)
            with suppress(OSError):
                self._disk.unlink(path)
            raise
        self._fd, self._committed = fd, len(line)
        return fd

    def _take_back(self, fd: int) -> None:
        try:
            self._disk.truncate(fd, self._committed)
        except OSError:
            # It stays in a log that is not added to: its readers may find it whole, and it is delivered though it was
            # refused, or without the file of its body, and it is reported as damaged.
            self.leave()
