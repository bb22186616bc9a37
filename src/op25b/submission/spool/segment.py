"""One log and its marks, as a reader sees them, and the messages that wait in it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from op25b.submission.spool import frames, marks
from op25b.submission.spool.disk import Disk
from op25b.submission.spool.envelope import Envelope, from_fields
from op25b.submission.spool.errors import Damaged, Gone, failure
from op25b.submission.spool.frames import Bad, Frame
from op25b.submission.spool.marks import Mark, MarksFile, State, Status

BLOCK = 256 << 10
WORTH_COMPACTING = 1 << 20


@dataclass(slots=True)
class Message:
    """A message that waits. `status` follows the marks; `size` is that of the body in bytes."""

    queue_id: str
    envelope: Envelope
    status: Status
    size: int
    crc: int
    in_file: bool
    segment: Segment
    start: int
    end: int

    def blocks(self) -> Iterator[bytes]:
        """The body, checked whole before its first block is handed out. Raises Damaged, Gone, SpoolError."""
        try:
            if self.in_file:
                yield from self.segment.body_file(self)
            else:
                yield self.segment.body_inside(self)
        except (FileNotFoundError, Damaged) as error:
            if self.status.done or self.segment.was_done(self):
                raise Gone(f"{self.queue_id}: done with") from error
            if isinstance(error, Damaged):
                raise
            raise Damaged(f"{self.queue_id}: its file is missing") from error
        except OSError as error:
            raise failure(error) from error

    def read(self) -> bytes:
        return b"".join(self.blocks())


class Segment:
    """`closed`: read to its end, and nothing will be added. `pending`: by queue id. `keep`: not to be removed.

    `fresh`: read, but not yet told of. `unwritten`: marks that are in force, but not yet on the disk.
    `others_remove`: another process takes away what is done.
    """

    def __init__(self, disk: Disk, path: Path, *, others_remove: bool) -> None:
        self.path = path
        self._others_remove = others_remove
        self.run, number, _ = path.name.split(".")
        self.number = int(number)
        self.closed = False
        self.pending: dict[str, Message] = {}
        self.files: set[str] = set()
        self.keep = False
        self.marks = MarksFile(disk, path)
        self.fresh: list[Message] = []
        self.unwritten: list[bytes] = []
        self._disk = disk
        self._token: str | None = None
        self._position = 0
        self._live = 0
        self._early: list[tuple[Mark, int]] = []
        self._finished_files: list[str] = []

    def read_on(self, limit: int | None) -> list[Bad]:
        """Takes in what came since the last call, up to byte `limit`; None: to the end, which is final.

        Returns what was no message. Raises OSError.
        """
        data = self._read(self._position, limit)
        start = self._position
        if self._token is None and data:
            self._token = frames.token_of(data)
            if self._token is None:
                self.closed = limit is None
                return [Bad(0, len(data))]
            start = len(frames.first_line(self._token))
        bad: list[Bad] = []
        for item in frames.scan(data[start - self._position :], self._token or "", start):
            if isinstance(item, Bad):
                bad.append(item)
            else:
                self.fresh.append(self._message(item))
        self._position += len(data)
        self.closed = limit is None
        return bad

    def read_marks(self) -> set[str]:
        """Takes in what was marked by others; the queue ids of those that changed. Raises OSError."""
        return self._apply(self.marks.news())

    def add_mark(self, mark: Mark) -> None:
        """For `write_marks`. In force at once, so that a full disk makes nobody deliver twice."""
        status = self.pending[mark.queue_id].status
        attempts = status.recipients[mark.recipient].attempts if mark.recipient in status.recipients else 0
        attempts += mark.state is State.DEFERRED
        status.apply(mark, attempts)
        self.unwritten.append(marks.encode(mark, attempts))

    def write_marks(self) -> set[str]:
        """Puts marks on the disk; like `read_marks` otherwise. After an OSError they stay for the next time."""
        others = self.marks.append(self.unwritten)
        self.unwritten = []
        return self._apply(others)

    def drop_done(self, queue_ids: Iterable[str]) -> list[str]:
        """Forgets those of the messages that need nothing more; says which."""
        done = [queue_id for queue_id in queue_ids if self.pending[queue_id].status.done]
        for queue_id in done:
            message = self.pending.pop(queue_id)
            self._live -= message.end - message.start
            if message.in_file:
                self._finished_files.append(f"{queue_id}.body")
        return done

    def remove_finished_files(self) -> None:
        """Of large messages that are done, once their marks are on the disk."""
        if self.unwritten:
            return
        for name in self._finished_files:
            with suppress(OSError):
                self._disk.unlink(self.path.with_name(name))
        self._finished_files = []

    @property
    def sparse(self) -> bool:
        """Most of the log, and enough to be worth a rewrite, is done."""
        return self._live * 4 < self._position > WORTH_COMPACTING

    def remove(self) -> None:
        """Of a closed log without pending messages. Raises OSError."""
        self.unwritten = []
        self.remove_finished_files()
        self._disk.unlink(self.path)
        # The marks must outlive the log, or all of it would wait again after a loss of power.
        self._disk.sync_folder(self.path.parent)
        self.marks.remove()

    def compact(self) -> None:
        """Rewrites a closed log with the pending messages only. Its marks stay true. Raises OSError."""
        new = self.path.with_suffix(".new")
        try:
            self._write_pending(new)
        except OSError:
            self._disk.unlink(new)
            raise
        self._disk.rename(new, self.path)
        self._disk.sync_folder(self.path.parent)
        for item in frames.scan(self._read(0, None), self._token or "", 0):
            if isinstance(item, Frame):
                message = self.pending[item.fields["id"]]
                message.start, message.end = item.start, item.end
                self._position = item.end

    def _write_pending(self, new: Path) -> None:
        fd = self._disk.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        try:
            self._disk.write(fd, frames.first_line(self._token or ""))
            for message in self.pending.values():
                self._disk.write(fd, self._read(message.start, message.end))
            self._disk.sync(fd)
        finally:
            self._disk.close(fd)

    def cut_end(self, bad: Bad) -> None:
        """Takes `bad` off if it is the half-written end. Raises OSError."""
        fd = self._disk.open(self.path, os.O_WRONLY)
        try:
            if self._disk.size(fd) == bad.end:
                self._disk.truncate(fd, bad.start)
        finally:
            self._disk.close(fd)

    def part(self, bad: Bad) -> bytes:
        return self._read(bad.start, bad.end)

    def was_done(self, message: Message) -> bool:
        """Whether that is why its body is not there: another process has marked it since the last scan."""
        if not self._others_remove:
            return False
        status = Status.of(message.envelope)
        with suppress(OSError):
            for mark, attempts in marks.decode(MarksFile(self._disk, self.path).news()):
                if mark.queue_id == message.queue_id:
                    status.apply(mark, attempts)
        return status.done or not self.path.exists()

    def body_inside(self, message: Message) -> bytes:
        body = self._body_at(message, message.start, message.end)
        if body is None:  # the log may have been compacted since
            body = self._body_at(message, 0, None)
        if body is None:
            raise Damaged(f"{message.queue_id}: {self.path.name} does not have it any more")
        return body

    def body_file(self, message: Message) -> Iterator[bytes]:
        crc = size = 0
        for block in self._file_blocks(message):
            crc = zlib.crc32(block, crc)
            size += len(block)
        if (crc, size) != (message.crc, message.size):
            raise Damaged(f"{message.queue_id}: its file is not what was written")
        return self._file_blocks(message)

    def _body_at(self, message: Message, start: int, end: int | None) -> bytes | None:
        data = self._read(start, end)
        for item in frames.scan(data, self._token or "", start):
            if isinstance(item, Frame) and item.fields["id"] == message.queue_id:
                return data[item.body - start : item.end - start - 1]
        return None

    def _file_blocks(self, message: Message) -> Iterator[bytes]:
        fd = self._disk.open(self.path.with_name(f"{message.queue_id}.body"), os.O_RDONLY)
        try:
            offset = 0
            while block := self._disk.read(fd, BLOCK, offset):
                offset += len(block)
                yield block
        finally:
            self._disk.close(fd)

    def _message(self, frame: Frame) -> Message:
        fields = frame.fields
        envelope = from_fields(fields)
        queue_id = fields["id"]
        status = Status.of(envelope)
        in_file = fields.get("file", False)
        crc = int(fields["crc"], 16)
        message = Message(queue_id, envelope, status, fields["size"], crc, in_file, self, frame.start, frame.end)
        self.pending[queue_id] = message
        self._live += frame.end - frame.start
        if in_file:
            self.files.add(f"{queue_id}.body")
        return message

    def _apply(self, data: bytes) -> set[str]:
        changed = set()
        news = self._early + list(marks.decode(data))
        self._early = []
        for mark, attempts in news:
            if message := self.pending.get(mark.queue_id):
                message.status.apply(mark, attempts)
                changed.add(mark.queue_id)
            elif not self.closed:  # its message may not have been read yet
                self._early.append((mark, attempts))
        return changed

    def _read(self, start: int, end: int | None) -> bytes:
        fd = self._disk.open(self.path, os.O_RDONLY)
        try:
            size = self._disk.size(fd)
            return self._disk.read(fd, max(0, min(size, size if end is None else end) - start), start)
        finally:
            self._disk.close(fd)
