"""The messages that wait, for another process than those that took them in: the relay, or an operator's command."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from op25b.errors import UserError
from op25b.processes.commit import GroupCommit
from op25b.submission.spool.bell import Bell
from op25b.submission.spool.disk import REAL, Clock, Disk
from op25b.submission.spool.errors import Gone, failure
from op25b.submission.spool.frames import Bad
from op25b.submission.spool.marks import Mark, State
from op25b.submission.spool.runs import Progress, bury, progress, run_of
from op25b.submission.spool.segment import Message, Segment
from op25b.submission.spool.writer import prepare, unusable


@dataclass(frozen=True, slots=True)
class Damage:
    """Something in the spool that is no whole message. `aside`: where a copy was put; None if it stayed in place."""

    what: str
    aside: Path | None


@dataclass(slots=True)
class Scan:
    """`new`: since the last scan. `changed`: marked by others since, and maybe done now. `damage`: for the operator.

    `more`: the scan was ended by its limit; the next goes on.
    """

    new: list[Message] = field(default_factory=list)
    changed: list[Message] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    more: bool = False


class Reader:
    """All calls may come from any thread; they wait for one another and for the disk.

    The exclusive reader is the one process that relays: only it sets damage aside, takes over what dead workers left,
    and removes what is done. Others look and mark, and should not live long.
    """

    def __init__(self, disk: Disk, folder: Path, lock: int | None) -> None:
        self._disk = disk
        self._folder = folder
        self._lock_fd = lock
        self._mutex = threading.Lock()
        self._segments: dict[str, Segment] = {}
        self._messages: dict[str, Message] = {}
        self._changed: list[Message] = []
        self._unwritten: set[Segment] = set()
        self._unreadable: set[str] = set()
        self._swept = False

    @classmethod
    def open(cls, folder: Path, *, exclusive: bool, disk: Disk = REAL) -> Reader:
        """Raises UserError if the spool cannot be read, or if `exclusive` and another process is."""
        try:
            if not exclusive:
                disk.names(folder)
                return cls(disk, folder, None)
            prepare(disk, folder)
            lock = disk.open(folder / "relay.lock", os.O_RDWR | os.O_CREAT)
            free = disk.lock(lock, wait=False)
            if free:
                disk.make_folder(folder / "aside")
                return cls(disk, folder, lock)
            disk.close(lock)
        except OSError as error:
            raise unusable(folder, error) from error
        raise UserError(f"spool {folder}: another process relays from it; stop that first")

    def close(self) -> None:
        if self._lock_fd is not None:
            self._disk.close(self._lock_fd)

    def scan(self, limit: int | None = None) -> Scan:
        """What is new; for a reader that has just been opened, all that waits, oldest first.

        Begins no further log after `limit` messages, so that a relay need not read a long queue before it delivers.
        Raises SpoolError if the folder cannot be read.
        """
        with self._mutex:
            try:
                return self._scan(limit)
            except OSError as error:
                raise failure(error) from error

    def message(self, queue_id: str) -> Message:
        """Of one of the scans before. Raises Gone."""
        with self._mutex:
            if message := self._messages.get(queue_id):
                return message
        raise Gone(f"no message {queue_id} waits")

    def mark(self, marks: Sequence[Mark]) -> None:
        """On the disk when it returns. Marks of messages that are not waiting are passed over.

        Raises SpoolError if the disk failed: the marks are in force for this reader and are written with the next.
        """
        with self._mutex:
            for mark in marks:
                if message := self._messages.get(mark.queue_id):
                    message.segment.add_mark(mark)
                    self._drop_done(message.segment, [mark.queue_id])
                    self._unwritten.add(message.segment)
            failed = None
            for segment in list(self._unwritten):
                try:
                    self._take_changes(segment, segment.write_marks())
                except OSError as error:
                    failed = error
                else:
                    self._unwritten.discard(segment)
                    segment.remove_finished_files()
        if self._lock_fd is None:
            self._ring()
        if failed is not None:
            raise failure(failed) from failed

    def tidy(self) -> None:
        """Removes logs whose messages are all done, and what is done from logs where little still waits.

        For the exclusive reader, every few seconds. What cannot be done now is done another time.
        """
        with self._mutex:
            for name, segment in list(self._segments.items()):
                if not segment.closed or segment.keep:
                    continue
                with suppress(OSError):
                    if not segment.pending:
                        segment.remove()
                        self._unwritten.discard(segment)
                        del self._segments[name]
                    elif segment.sparse:
                        segment.compact()

    def _scan(self, limit: int | None) -> Scan:
        found = Scan()
        # In this order: of a run that had ended before the listing, the listing has everything.
        runs = self._runs()
        names = self._disk.names(self._folder)
        for name in names:
            if name.endswith(".log") and (name in self._segments or run_of(name) in runs):
                if name not in self._segments and limit is not None and len(found.new) >= limit:
                    found.more = True
                    continue
                try:
                    self._scan_log(name, runs, found)
                except OSError as error:
                    self._tell_unreadable(name, error, found)
        if self._lock_fd is not None and not found.more:
            with suppress(OSError):  # again at the next scan
                self._clean(names, runs, found)
        found.changed, self._changed = self._changed, []
        return found

    def _ring(self) -> None:
        bell = Bell(self._folder)
        bell.ring()
        bell.close()

    def _runs(self) -> dict[str, Progress | None]:
        """Of each run that may have something new, or something to clean up."""
        known = {name for name, segment in self._segments.items() if segment.closed}
        names = [name for name in self._disk.names(self._folder) if name not in known]
        runs = {run_of(name) for name in names if name.endswith((".run", ".log", ".body"))}
        return {run: progress(self._disk, self._folder, run) for run in runs}

    def _scan_log(self, name: str, runs: dict[str, Progress | None], found: Scan) -> None:
        segment = self._segments.get(name) or Segment(
            self._disk, self._folder / name, others_remove=self._lock_fd is None
        )
        if not segment.closed:
            run = runs[segment.run]
            if run and not run.dead and segment.number > run.segment:
                return
            live = run is not None and not run.dead and segment.number == run.segment
            bad = segment.read_on(run.committed if run and live else None)
            self._segments[name] = segment
            for part in bad:
                self._tell_bad(segment, part, found)
        self._take_changes(segment, segment.read_marks())
        found.new += [message for message in segment.fresh if not message.status.done]
        self._messages.update((message.queue_id, message) for message in found.new)
        segment.fresh = []
        segment.remove_finished_files()
        self._unreadable.discard(name)

    def _take_changes(self, segment: Segment, queue_ids: set[str]) -> None:
        known = [queue_id for queue_id in queue_ids if queue_id in self._messages]
        self._changed += [self._messages[queue_id] for queue_id in known]
        self._drop_done(segment, queue_ids)

    def _drop_done(self, segment: Segment, queue_ids: Iterable[str]) -> None:
        for queue_id in segment.drop_done(queue_ids):
            self._messages.pop(queue_id, None)

    def _tell_unreadable(self, name: str, error: OSError, found: Scan) -> None:
        if name not in self._unreadable and not isinstance(error, FileNotFoundError):
            self._unreadable.add(name)
            found.damage.append(Damage(f"{name} cannot be read: {error.strerror}", None))

    def _tell_bad(self, segment: Segment, bad: Bad, found: Scan) -> None:
        what = f"{segment.path.name}: bytes {bad.start} to {bad.end} are no whole message"
        if self._lock_fd is None:
            found.damage.append(Damage(what, None))
            return
        aside = self._folder / "aside" / f"{segment.path.name}@{bad.start}"
        known = aside.exists()
        try:
            if not known:
                self._put_aside(aside, segment.part(bad))
            if segment.closed:
                segment.cut_end(bad)
        except OSError:
            segment.keep = True
            found.damage.append(Damage(what, None))
        else:
            if not known:
                found.damage.append(Damage(what, aside))

    def _put_aside(self, path: Path, data: bytes) -> None:
        new = path.with_name(path.name + ".new")
        self._disk.unlink(new)
        fd = self._disk.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        try:
            self._disk.write(fd, data)
            self._disk.sync(fd)
        finally:
            self._disk.close(fd)
        self._disk.rename(new, path)
        self._disk.sync_folder(path.parent)

    def _clean(self, names: list[str], runs: dict[str, Progress | None], found: Scan) -> None:
        """Ends dead runs, and sweeps up what they, or a reader before this one, left half done."""
        dead = [run for run, seen in runs.items() if seen and seen.dead]
        if (self._swept and not dead) or self._unreadable:
            return
        ended = {run for run, seen in runs.items() if seen is None or seen.dead}
        bodies = {name for segment in self._segments.values() for name in segment.files}
        for name in names:
            path = self._folder / name
            if name.endswith(".body") and name not in bodies and run_of(name) in ended:
                aside = self._folder / "aside" / name
                self._disk.rename(path, aside)
                found.damage.append(Damage(f"{name}: a large message that had not arrived whole", aside))
            elif name.endswith(".new") or (name.endswith(".marks") and not path.with_suffix(".log").exists()):
                self._disk.unlink(path)
        for run in dead:
            bury(self._disk, self._folder, run)
        self._swept = True


class Marker:
    """Marks for an event loop, group by group."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._group = GroupCommit(reader.mark, "spool-marks")
        self._clock = clock

    async def mark(
        self, queue_id: str, recipient: str | None, state: State, detail: str = "", until: datetime | None = None
    ) -> None:
        """Returns when the mark is on the disk. Raises SpoolError, as `Reader.mark`."""
        await self._group.add(Mark(queue_id, recipient, state, self._clock(), detail, until))

    async def close(self) -> None:
        await self._group.close()
