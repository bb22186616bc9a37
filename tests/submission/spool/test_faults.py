"""A disk that fails, at any call: the client is told, nothing that was acknowledged is lost, nothing else comes out."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from op25b.errors import UserError
from op25b.submission.spool import Damaged, Envelope, Mark, Reader, Spool, SpoolError, SpoolFull, State
from op25b.submission.spool.disk import Disk

Make = Callable[..., Envelope]


def clock() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


class Failing(Disk):
    """Fails the calls named in `fail` while that is not empty; a failing write leaves half of its bytes."""

    def __init__(self) -> None:
        self.fail: set[str] = set()
        self.number = errno.ENOSPC
        self.countdown = 0

    def _check(self, call: str) -> None:
        if call in self.fail:
            self.countdown -= 1
            if self.countdown < 0:
                raise OSError(self.number, os.strerror(self.number))

    def open(self, path: Path, flags: int) -> int:
        self._check("open" if flags & os.O_CREAT else "read")
        return super().open(path, flags)

    def write(self, fd: int, data: bytes) -> None:
        try:
            self._check("write")
        except OSError:
            os.write(fd, data[: len(data) // 2])
            raise
        super().write(fd, data)

    def overwrite(self, fd: int, data: bytes, offset: int) -> None:
        self._check("overwrite")
        super().overwrite(fd, data, offset)

    def sync(self, fd: int) -> None:
        self._check("sync")
        super().sync(fd)

    def sync_folder(self, path: Path) -> None:
        self._check("sync_folder")
        super().sync_folder(path)

    def truncate(self, fd: int, size: int) -> None:
        self._check("truncate")
        super().truncate(fd, size)

    def unlink(self, path: Path) -> None:
        self._check("unlink")
        super().unlink(path)

    def rename(self, old: Path, new: Path) -> None:
        self._check("rename")
        super().rename(old, new)


async def put(spool: Spool, envelope: Envelope, body: bytes) -> str:
    async with spool.begin(envelope) as entry:
        for at in range(0, len(body), 1000):
            entry.write(body[at : at + 1000])
            await entry.drain()
        return await entry.commit()


def bodies(folder: Path) -> dict[str, bytes]:
    """Of those that can be read."""
    found = {}
    reader = Reader.open(folder, exclusive=True)
    for message in reader.scan().new:
        with suppress(Damaged):
            found[message.queue_id] = message.read()
    reader.close()
    return found


CALLS = ["open", "write", "sync", "sync_folder", "truncate", "overwrite", "unlink"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rounds=st.lists(
        st.tuples(
            st.lists(st.sampled_from([10, 900, 4000, 9000]), min_size=1, max_size=4),
            st.sets(st.sampled_from(CALLS), max_size=3),
            st.integers(0, 3),
            st.sampled_from([errno.ENOSPC, errno.EIO, errno.EDQUOT]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_fails(
    tmp_path_factory: pytest.TempPathFactory,
    envelope: Make,
    rounds: list[tuple[list[int], set[str], int, int]],
) -> None:
    folder = tmp_path_factory.mktemp("fault") / "spool"
    disk = Failing()
    acknowledged: dict[str, bytes] = {}
    refused: dict[bytes, bool] = {}
    truncates = True

    async def one(spool: Spool, body: bytes) -> None:
        try:
            acknowledged[await put(spool, envelope(), body)] = body
        except SpoolError as error:
            refused[body] = isinstance(error, SpoolFull) == (disk.number != errno.EIO)

    async def main() -> None:
        nonlocal truncates
        spool = Spool.open(folder, "w", clock=clock, disk=disk, segment_size=5000, in_memory=2000)
        number = 0
        for sizes, disk.fail, disk.countdown, disk.number in rounds:
            truncates &= "truncate" not in disk.fail
            texts = [b"%d " % (number + n) + b"x" * size for n, size in enumerate(sizes)]
            number += len(texts)
            await asyncio.gather(*(one(spool, text) for text in texts))
        disk.fail = set()
        texts = [b"small", b"large" * 1000]
        await asyncio.gather(*(one(spool, text) for text in texts))
        assert set(texts) <= set(acknowledged.values())
        await spool.close()

    asyncio.run(main())
    found = bodies(folder)
    assert found.items() >= acknowledged.items()
    assert set(found.values()) - set(acknowledged.values()) <= (set() if truncates else set(refused))
    assert all(refused.values())


@pytest.mark.root
def test_a_disk_that_is_really_full(tmp_path: Path, envelope: Make) -> None:
    """A file system of 2 MB: what was acknowledged comes out whole; once there is room, mail goes on."""
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", mount], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        fill(mount / "spool", envelope)
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def fill(folder: Path, envelope: Make) -> None:
    acknowledged: dict[str, bytes] = {}

    async def main() -> None:
        spool = Spool.open(folder, "w", clock=clock, segment_size=200_000, in_memory=50_000)
        reader = Reader.open(folder, exclusive=True)
        full = 0
        for number in range(200):
            body = b"%d " % number * (25_000 if number % 10 == 0 else 2500)
            try:
                acknowledged[await put(spool, envelope(), body)] = body
            except SpoolFull:
                full += 1
        assert full > 10
        waiting = {message.queue_id: message.read() for message in reader.scan().new}
        assert waiting == acknowledged
        # The relay delivers, though there may be no room to write that down, and makes room.
        with suppress(SpoolFull):
            reader.mark([Mark(queue_id, "b@example.org", State.DELIVERED, clock()) for queue_id in waiting])
        await spool.rotate()
        assert reader.scan().new == []
        reader.tidy()
        for number in range(20):
            await put(spool, envelope(), b"again %d" % number)
        assert len(reader.scan().new) == 20
        reader.close()
        await spool.close()

    asyncio.run(main())


def test_marks_that_cannot_be_written_hold_and_are_written_later(tmp_path: Path, envelope: Make) -> None:
    folder = tmp_path / "spool"
    disk = Failing()

    async def main() -> tuple[str, str]:
        spool = Spool.open(folder, "w", clock=clock, in_memory=2000)
        ids = await put(spool, envelope(), b"one"), await put(spool, envelope(), b"two" * 1000)
        await spool.close()
        return ids

    one, two = asyncio.run(main())
    reader = Reader.open(folder, exclusive=True, disk=disk)
    assert len(reader.scan().new) == 2
    disk.fail = {"write"}
    with pytest.raises(SpoolFull):
        reader.mark([Mark(two, "b@example.org", State.DELIVERED, clock())])
    assert reader.scan().new == []
    assert (folder / f"{two}.body").exists()
    disk.fail = set()
    reader.mark([Mark(one, "b@example.org", State.DEFERRED, clock())])
    assert not (folder / f"{two}.body").exists()
    reader.close()
    assert list(bodies(folder)) == [one]


def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    for call in ("open", "overwrite", "sync", "sync_folder"):
        disk = Failing()
        disk.fail = {call}
        with pytest.raises(UserError, match="No space left on device"):
            Spool.open(tmp_path / call, "w", clock=clock, disk=disk)
