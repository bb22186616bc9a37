"""Loss of power at any moment, on a disk that keeps what was synced and any part of the rest.

The spool works on a real folder while every change is written down. A crash replays the changes up to a moment:
what a sync covered is there; of the rest each block of 512 bytes of a write, each new size and each change of a name
is there or not, by chance, in any combination, as POSIX allows. Then a relay opens what is left.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from op25b.submission.spool import Envelope, Mark, Reader, Spool, SpoolError, State
from op25b.submission.spool.disk import Disk

Make = Callable[..., Envelope]
SECTOR = 512
WORDS = ("taken", "marking", "marked")


def clock() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


class Recording(Disk):
    """The real disk; `changes` says what happened, in order. Files go by number, whatever their names."""

    def __init__(self) -> None:
        self.changes: list[tuple[Any, ...]] = []
        self._mutex = threading.Lock()
        self._files: dict[int, int] = {}
        self._numbers: dict[tuple[int, int], int] = {}

    def _note(self, *change: Any) -> None:
        self.changes.append(change)

    def _file(self, fd: int) -> int:
        return self._files[fd]

    def open(self, path: Path, flags: int) -> int:
        with self._mutex:
            new = not path.exists()
            fd = super().open(path, flags)
            if new:
                self._numbers[self._inode(fd)] = number = len(self.changes)
                self._note("name", path, number)
            self._files[fd] = self._numbers.get(self._inode(fd), -1)
            return fd

    def _inode(self, fd: int) -> tuple[int, int]:
        found = os.fstat(fd)
        return found.st_dev, found.st_ino

    def write(self, fd: int, data: bytes) -> None:
        with self._mutex:
            at = os.fstat(fd).st_size
            super().write(fd, data)
            self._note("write", self._file(fd), at, data)

    def overwrite(self, fd: int, data: bytes, offset: int) -> None:
        with self._mutex:
            super().overwrite(fd, data, offset)
            self._note("write", self._file(fd), offset, data)

    def truncate(self, fd: int, size: int) -> None:
        with self._mutex:
            super().truncate(fd, size)
            self._note("size", self._file(fd), size)

    def sync(self, fd: int) -> None:
        # Only what was there when it began is sure.
        with self._mutex:
            before = len(self.changes)
        super().sync(fd)
        with self._mutex:
            self._note("synced", self._file(fd), before)

    def sync_folder(self, path: Path) -> None:
        with self._mutex:
            before = len(self.changes)
        super().sync_folder(path)
        with self._mutex:
            self._note("folder synced", path, before)

    def rename(self, old: Path, new: Path) -> None:
        with self._mutex:
            super().rename(old, new)
            self._note("rename", old, new)

    def unlink(self, path: Path) -> None:
        with self._mutex:
            if path.exists():
                super().unlink(path)
                self._note("unlink", path)

    def note(self, queue_id: str, what: str) -> None:
        with self._mutex:
            self._note("note", queue_id, what)


@dataclass
class Left:
    """What a crash left: names, and files by number."""

    names: dict[Path, int] = field(default_factory=dict)
    files: dict[int, bytearray] = field(default_factory=lambda: defaultdict(bytearray))


def crash(changes: list[tuple[Any, ...]], chance: random.Random) -> Left:
    """The disk after `changes`, of which only what was synced is sure. `keep` 0: nothing else; 1: all."""
    keep = chance.choice([0.0, 0.2, 0.5, 0.8, 1.0])
    sure: set[int] = set()
    for kind, what, *rest in changes:
        if kind == "synced":
            sure |= {n for n, change in enumerate(changes[: rest[0]]) if change[:1] == ("write",) and change[1] == what}
            sure |= {n for n, change in enumerate(changes[: rest[0]]) if change[0] == "size" and change[1] == what}
        elif kind == "folder synced":
            sure |= {n for n, change in enumerate(changes[: rest[0]]) if _folder(change) == what}
    left = Left()
    for number, change in enumerate(changes):
        _replay(left, change, 1.0 if number in sure else keep, chance)
    return left


def _folder(change: tuple[Any, ...]) -> Path | None:
    """Whose names it changes. A rename between two folders is taken to be sure with the one it goes to."""
    if change[0] in ("name", "unlink"):
        return Path(change[1]).parent
    return Path(change[2]).parent if change[0] == "rename" else None


def _replay(left: Left, change: tuple[Any, ...], keep: float, chance: random.Random) -> None:
    match change:
        case "write", file, at, data:
            content = left.files[file]
            for start in range(at - at % SECTOR, at + len(data), SECTOR):
                if chance.random() >= keep:
                    continue
                low, high = max(start, at), min(start + SECTOR, at + len(data))
                content.extend(bytes(max(0, high - len(content))))
                content[low:high] = data[low - at : high - at]
            if chance.random() < keep:  # the new size may last without the data
                content.extend(bytes(max(0, at + len(data) - len(content))))
        case "size", file, size if chance.random() < keep:
            del left.files[file][size:]
        case "name", path, number if chance.random() < keep:
            left.names[path] = number
        case "rename", old, new if chance.random() < keep and old in left.names:
            left.names[new] = left.names.pop(old)
        case "unlink", path if chance.random() < keep:
            left.names.pop(path, None)


def rebuild(left: Left, old: Path, folder: Path) -> None:
    (folder / "aside").mkdir(parents=True)
    for path, number in left.names.items():
        (folder / path.relative_to(old)).write_bytes(left.files[number])


async def put(spool: Spool, disk: Recording, envelope: Envelope, body: bytes, sent: dict[str, bytes]) -> None:
    async with spool.begin(envelope) as entry:
        sent[entry.queue_id] = body
        for at in range(0, len(body), 1000):
            entry.write(body[at : at + 1000])
            await entry.drain()
        if body.startswith(b"abort"):
            return
        disk.note(await entry.commit(), "taken")


def relay(reader: Reader, disk: Recording, every: int) -> None:
    """Delivers, and says so, all but each `every`th message."""
    for message in reader.scan().new:
        if int(message.read().split()[1]) % every:
            disk.note(message.queue_id, "marking")
            reader.mark([Mark(message.queue_id, "b@example.org", State.DELIVERED, clock())])
            disk.note(message.queue_id, "marked")
    reader.tidy()


groups = st.lists(st.lists(st.sampled_from([0, 10, 400, 700, 3000, 6000]), min_size=1, max_size=5), max_size=6)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    groups=groups,
    aborts=st.integers(2, 9),
    every=st.sampled_from([1, 2, 3, 1000]),
    crashes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 2**32)), min_size=10, max_size=10),
)
def test_what_was_acknowledged_is_there(
    tmp_path_factory: pytest.TempPathFactory,
    envelope: Make,
    monkeypatch: pytest.MonkeyPatch,
    groups: list[list[int]],
    aborts: int,
    every: int,
    crashes: list[tuple[float, int]],
) -> None:
    monkeypatch.setattr("op25b.submission.spool.segment.WORTH_COMPACTING", 500)
    tmp = tmp_path_factory.mktemp("power")
    disk, sent = Recording(), dict[str, bytes]()

    async def main() -> None:
        reader = Reader.open(tmp / "spool", exclusive=True, disk=disk)
        spool = Spool.open(tmp / "spool", "w", clock=clock, disk=disk, segment_size=4000, in_memory=2000)
        number = 0
        for sizes in groups:
            texts = []
            for size in sizes:
                number += 1
                texts.append(b"%s %d " % (b"send" if number % aborts else b"abort", number) + b"x" * size)
            await asyncio.gather(*(put(spool, disk, envelope(), text, sent) for text in texts))
            relay(reader, disk, every)
        await spool.close()
        relay(reader, disk, every)
        reader.close()

    asyncio.run(main())
    for number, (moment, seed) in enumerate(crashes):
        changes = disk.changes[: round(moment * len(disk.changes))]
        check(changes, random.Random(seed), tmp, tmp / f"crash{number}", sent)


def check(
    changes: list[tuple[Any, ...]], chance: random.Random, tmp: Path, folder: Path, sent: dict[str, bytes]
) -> None:
    rebuild(crash(changes, chance), tmp / "spool", folder)
    notes = {change[1:] for change in changes if change[0] == "note"}
    taken, marking, marked = ({queue_id for queue_id, what in notes if what == word} for word in WORDS)
    # A look by a command first: it must see the same, and change nothing.
    looker = Reader.open(folder, exclusive=False)
    seen = {message.queue_id for message in looker.scan().new}
    looker.close()
    reader = Reader.open(folder, exclusive=True)
    found = {message.queue_id: message.read() for message in reader.scan().new}
    reader.close()
    assert seen == set(found)
    assert taken - marking <= set(found)
    assert not marked & set(found)
    assert all(sent[queue_id] == body for queue_id, body in found.items())
    assert not any(body.startswith(b"abort") for body in found.values())
    # The relay that set things aside may lose power itself; the next finds the same, and nothing more to tell.
    again = Reader.open(folder, exclusive=True)
    scan = again.scan()
    assert {message.queue_id for message in scan.new} == set(found)
    assert scan.damage == []
    again.close()


@pytest.mark.parametrize("every", [1000, 8])
def test_at_any_moment_of_tidying(tmp_path: Path, envelope: Make, monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    """With `every` 1000 logs are removed, with 8 they are rewritten."""
    monkeypatch.setattr("op25b.submission.spool.segment.WORTH_COMPACTING", 500)
    disk, sent = Recording(), dict[str, bytes]()

    async def main() -> None:
        spool = Spool.open(tmp_path / "spool", "w", clock=clock, disk=disk)
        for number in range(1, 17):
            await put(spool, disk, envelope(), b"send %d " % number * 20, sent)
        await spool.close()

    asyncio.run(main())
    reader = Reader.open(tmp_path / "spool", exclusive=True, disk=disk)
    for message in reader.scan().new:
        if int(message.read().split()[1]) % every:
            disk.note(message.queue_id, "marking")
            reader.mark([Mark(message.queue_id, "b@example.org", State.DELIVERED, clock())])
            disk.note(message.queue_id, "marked")
    before = len(disk.changes)
    reader.tidy()
    reader.close()
    assert ("unlink" if every == 1000 else "rename") in [change[0] for change in disk.changes[before:]]
    for moment in range(before, len(disk.changes) + 1):
        for seed in range(20):
            folder = tmp_path / f"{moment}-{seed}"
            check(disk.changes[:moment], random.Random(seed), tmp_path, folder, sent)


def test_the_simulation_loses_what_was_not_synced(
    tmp_path: Path, envelope: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spool that did not sync would be caught."""
    disk, sent = Recording(), dict[str, bytes]()
    monkeypatch.setattr(Disk, "sync", lambda self, fd: None)
    monkeypatch.setattr(Recording, "sync", Disk.sync)

    async def main() -> None:
        spool = Spool.open(tmp_path / "spool", "w", clock=clock, disk=disk)
        for number in range(5):
            await put(spool, disk, envelope(), b"send %d " % number, sent)
        await spool.close()

    asyncio.run(main())

    def crash_often() -> None:
        for seed in range(20):
            check(disk.changes, random.Random(seed), tmp_path, tmp_path / str(seed), sent)

    with pytest.raises((AssertionError, SpoolError)):
        crash_often()
