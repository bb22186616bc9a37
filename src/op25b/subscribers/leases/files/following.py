"""Lease files of servers that run, read as they change. A step is due each second or so, and gives what is new."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from op25b.subscribers.faults import Fault
from op25b.subscribers.leases.facts import FOREVER
from op25b.subscribers.leases.files import dnsmasq, kea
from op25b.subscribers.leases.files.entry import Run, Runs, Subscribers
from op25b.subscribers.leases.files.reading import LINE_OCTETS, Read, decoded
from op25b.subscribers.leases.present import Held

CHUNK = 1 << 20
"""So many octets are read in one step of a file that grows."""
MOST = 64 << 20
"""The largest file that is read whole."""


class Following(Protocol):
    """A file that is followed."""

    def step(self, now: datetime) -> Read:
        """What is new since the last step, and the lines that could not be used. Raises OSError while it is away.

        What a step gives must be merged before the next one; after a restart `known` brings what was.
        """


class Growing:
    """Kea's lease file, to which a line is added for each change, and which is cleaned up now and then.

    Then it is renamed and begun anew (`lfc-interval`): the old one is read to its end, and the new one from its
    beginning. What was before is in other files until it is merged; they are read first, in Kea's own order.
    """

    def __init__(self, path: Path, source: str, subscribers: Subscribers, known: Mapping[str, Run]) -> None:
        self._path, self._subscribers = path, subscribers
        self._runs = Runs(source, known)
        self._before: list[Path] | None = None
        self._file: BinaryIO | None = None
        self._rest, self._line = b"", 0
        self._columns: kea.Columns | None = None
        self._live = self._caught_up = False

    def step(self, now: datetime) -> Read:
        found = Read()
        if self._file is None:
            self._open()
        assert self._file is not None
        replaced = not self._live or self._is_another()
        octets = self._file.read(CHUNK)
        *lines, self._rest = (self._rest + octets).split(b"\n")
        # of lines that were there before nobody knows when they were written
        read_at = now if self._live and self._caught_up else None
        for line in lines:
            self._line += 1
            self._take(line, read_at, found)
        if len(self._rest) > LINE_OCTETS:
            found.faults.append(Fault(self._line + 1, f"it has more than {LINE_OCTETS} octets"))
            self._rest = b"\0"  # whatever ends this line is no good
        found.more = len(octets) == CHUNK or not self._live
        if len(octets) < CHUNK:
            self._caught_up = self._caught_up or self._live
            if replaced:
                self._close(found)
        return found

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        if self._before is None:
            self._before = _earlier(self._path)
        self._live = not self._before
        self._file = (self._path if self._live else self._before[0]).open("rb")
        self._before = self._before[1:]
        self._rest, self._line, self._columns = b"", 0, None

    def _close(self, found: Read) -> None:
        assert self._file is not None
        if self._rest:
            found.faults.append(Fault(self._line + 1, "the file ends in the middle of this line"))
        self._file.close()
        self._file = None

    def _is_another(self) -> bool:
        """Whether the name belongs to another file now, or this one was cut."""
        assert self._file is not None
        mine = os.fstat(self._file.fileno())
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        return (mine.st_ino, mine.st_dev) != (named.st_ino, named.st_dev) or mine.st_size < self._file.tell()

    def _take(self, line: bytes, read_at: datetime | None, found: Read) -> None:
        try:
            text = decoded(line)
            if self._line == 1:
                self._columns = kea.Columns(text)
            elif text and self._columns is not None:
                found.facts += self._runs.facts(self._columns.entry(text), self._subscribers, read_at)
        except ValueError as fault:
            found.faults.append(Fault(self._line, str(fault)))


def _earlier(path: Path) -> list[Path]:
    """What Kea would load before the file itself (the administrator's reference, "Lease File Cleanup")."""
    completed = path.with_name(path.name + ".completed")
    names = [completed] if completed.exists() else [path.with_name(f"{path.name}.{number}") for number in (2, 1)]
    return [each for each in names if each.exists()]


class Rewritten:
    """dnsmasq's lease file, which has the leases that there are, and is cut and written anew at each change.

    What is new in it counts at once; what is gone, only when it has stayed so for a step: it may just be being written.
    """

    def __init__(self, path: Path, source: str, subscribers: Subscribers, known: Mapping[str, Run]) -> None:
        self._path, self._subscribers = path, subscribers
        self._runs = Runs(source, known)
        self._seen: tuple[int, int, int] | None = None
        self._lines: dict[str, str] = {}
        self._gone_untold = False

    def step(self, now: datetime) -> Read:
        found = Read()
        with self._path.open("rb") as file:
            state = os.fstat(file.fileno())
            written = datetime.fromtimestamp(state.st_mtime, UTC)
            seen = (state.st_ino, state.st_size, state.st_mtime_ns)
            if seen == self._seen:  # as in the step before
                if self._gone_untold:
                    self._gone_untold = False
                    self._end_what_is_gone(written, found)
                return found
            octets = file.read(MOST)
        self._seen = seen
        *lines, rest = octets.split(b"\n")
        self._take(lines, written, found)
        # neither a torn file nor one with bad lines tells what is gone
        self._gone_untold = not rest and not found.faults
        return found

    def _take(self, lines: list[bytes], written: datetime, found: Read) -> None:
        before, self._lines = self._lines, {}
        for number, line in enumerate(lines, start=1):
            try:
                text = decoded(line)
                if text in before:
                    self._lines[text] = before[text]
                elif (entry := dnsmasq.entry(text, written)) is not None:
                    found.facts += self._runs.facts(entry, self._subscribers)
                    self._lines[text] = entry.prefix
            except ValueError as fault:
                found.faults.append(Fault(number, str(fault)))

    def _end_what_is_gone(self, written: datetime, found: Read) -> None:
        there = set(self._lines.values())
        for prefix in self._runs.prefixes() - there:
            found.facts += self._runs.ended(prefix, written)


KINDS: Mapping[str, Callable[[Path, str, Subscribers, Mapping[str, Run]], Following]] = {
    "kea": Growing,
    "dnsmasq": Rewritten,
}


def known(held: Mapping[str, Held]) -> dict[str, Run]:
    """Leases under way, as the store has them (`under_way`)."""
    return {
        prefix: Run(each.session, each.subscriber, each.since, each.expires or FOREVER) for prefix, each in held.items()
    }
