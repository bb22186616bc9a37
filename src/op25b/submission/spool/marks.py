r"""What became of the messages of a log: lines appended to the `.marks` file beside it, `CRC {...}\n` each.

Later lines win over earlier ones, so reading a line twice does no harm. Every process may append, under the file's
lock: the relay what it did, an operator's command what it wants.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from op25b.submission.spool.disk import Disk
from op25b.submission.spool.envelope import Envelope


class State(StrEnum):
    """Of one recipient: delivered, failed, deferred. Of the whole message: held, released, retry, dropped."""

    DELIVERED = "delivered"
    FAILED = "failed"
    DEFERRED = "deferred"
    HELD = "held"
    RELEASED = "released"
    RETRY = "retry"
    DROPPED = "dropped"


RECIPIENT_STATES = {State.DELIVERED, State.FAILED, State.DEFERRED}


@dataclass(frozen=True, slots=True)
class Mark:
    """`recipient`: an address of the envelope; None for the states of a whole message. `until`: of deferred ones."""

    queue_id: str
    recipient: str | None
    state: State
    at: datetime
    detail: str = ""
    until: datetime | None = None

    def __post_init__(self) -> None:
        if (self.recipient is None) == (self.state in RECIPIENT_STATES):
            raise ValueError(f"{self.state} is no state of a {'message' if self.recipient is None else 'recipient'}")


@dataclass(slots=True)
class RecipientStatus:
    """`state` None: not tried yet. `attempts`: how often it was deferred. `until`: not to be tried before."""

    state: State | None = None
    at: datetime | None = None
    detail: str = ""
    until: datetime | None = None
    attempts: int = 0

    @property
    def done(self) -> bool:
        return self.state in (State.DELIVERED, State.FAILED)


@dataclass(slots=True)
class Status:
    """`held`: why, None if it is not."""

    recipients: dict[str, RecipientStatus]
    held: str | None = None
    dropped: bool = False

    @classmethod
    def of(cls, envelope: Envelope) -> Status:
        until = envelope.hold_until
        return cls({to.address: RecipientStatus(until=until) for to in envelope.recipients}, envelope.held)

    @property
    def done(self) -> bool:
        return self.dropped or all(status.done for status in self.recipients.values())

    def apply(self, mark: Mark, attempts: int) -> None:
        if mark.state is State.HELD:
            self.held = mark.detail
        elif mark.state is State.RELEASED:
            self.held = None
        elif mark.state is State.DROPPED:
            self.dropped = True
        elif mark.state is State.RETRY:
            for status in self.recipients.values():
                status.until = None
        elif mark.recipient in self.recipients:
            status = RecipientStatus(mark.state, mark.at, mark.detail, mark.until, attempts)
            self.recipients[mark.recipient] = status


def encode(mark: Mark, attempts: int) -> bytes:
    """`attempts` counts this one; it is written down so that a line can be read twice."""
    fields: dict[str, Any] = {"id": mark.queue_id, "state": mark.state, "at": mark.at.isoformat()}
    if mark.recipient is not None:
        fields["recipient"] = mark.recipient
        fields["attempts"] = attempts
    if mark.detail:
        fields["detail"] = mark.detail
    if mark.until is not None:
        fields["until"] = mark.until.isoformat()
    text = json.dumps(fields).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(data: bytes) -> Iterator[tuple[Mark, int]]:
    """Marks and their attempts. Lines that were half written, and so never acknowledged, are passed over."""
    for line in data.split(b"\n"):
        crc, _, text = line.partition(b" ")
        if crc != b"%08x" % zlib.crc32(text) or not text:
            continue
        fields = json.loads(text)
        until = fields.get("until")
        mark = Mark(
            fields["id"],
            fields.get("recipient"),
            State(fields["state"]),
            datetime.fromisoformat(fields["at"]),
            fields.get("detail", ""),
            None if until is None else datetime.fromisoformat(until),
        )
        yield mark, fields.get("attempts", 0)


class MarksFile:
    """The marks of one log; `position` is how far they were read."""

    def __init__(self, disk: Disk, log: Path) -> None:
        self._disk = disk
        self._path = log.with_suffix(".marks")
        self.position = 0

    def news(self) -> bytes:
        """What was appended since the last call."""
        try:
            fd = self._disk.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        try:
            return self._read_on(fd)
        finally:
            self._disk.close(fd)

    def append(self, lines: Iterable[bytes]) -> bytes:
        """Adds lines, on the disk when it returns; hands back what others appended since `news`. Raises OSError."""
        new = not self._path.exists()
        fd = self._disk.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            self._disk.lock(fd, wait=True)
            others = self._read_on(fd)
            end = self._disk.size(fd)
            # The line of a process that was killed may be there in part.
            start = b"" if end == self.position else b"\n"
            data = start + b"".join(lines)
            try:
                self._disk.write(fd, data)
                self._disk.sync(fd)
            except OSError:
                self._disk.truncate(fd, end)
                raise
            self.position = end + len(data)
            if new:
                self._disk.sync_folder(self._path.parent)
                self._disk.own_like(fd, self._path.with_suffix(".log"))
        finally:
            self._disk.close(fd)
        return others

    def remove(self) -> None:
        self._disk.unlink(self._path)

    def _read_on(self, fd: int) -> bytes:
        """Whole lines from `position` on."""
        data = self._disk.read(fd, self._disk.size(fd) - self.position, self.position)
        data = data[: data.rfind(b"\n") + 1]
        self.position += len(data)
        return data
