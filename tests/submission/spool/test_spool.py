"""Taking in, reading, marking, removing: all that needs no failure."""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from op25b.errors import UserError
from op25b.submission.spool import Damaged, Envelope, Gone, Mark, Marker, Reader, Scan, Spool, State
from op25b.submission.spool.disk import Disk

T = TypeVar("T")
Make = Callable[..., Envelope]


def clock() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


def run(folder: Path, work: Callable[[Spool], Awaitable[T]], **options: int) -> T:
    async def main() -> T:
        spool = Spool.open(folder, "test", clock=clock, **options)
        try:
            return await work(spool)
        finally:
            await spool.close()

    return asyncio.run(main())


async def put(spool: Spool, envelope: Envelope, *blocks: bytes) -> str:
    async with spool.begin(envelope) as entry:
        for block in blocks:
            entry.write(block)
            await entry.drain()
        return await entry.commit()


@contextmanager
def reading(folder: Path, *, exclusive: bool = True) -> Iterator[Reader]:
    reader = Reader.open(folder, exclusive=exclusive)
    try:
        yield reader
    finally:
        reader.close()


def files(folder: Path, kind: str) -> list[str]:
    return sorted(path.name for path in folder.glob(f"*{kind}"))


def test_what_goes_in_comes_out(folder: Path, envelope: Make) -> None:
    sent = envelope("b@example.org", "c@example.org")
    small, large = [b"Subject: x\r\n", b"\r\n", b"text"], [b"x" * 1000] * 5

    async def work(spool: Spool) -> list[str]:
        return [await put(spool, sent, *small), await put(spool, sent, *large), await put(spool, sent)]

    ids = run(folder, work, in_memory=2000)
    assert files(folder, ".body") == [f"{ids[1]}.body"]
    assert files(folder, ".run") == []
    reader = Reader.open(folder, exclusive=True)
    scan = reader.scan()
    assert [message.queue_id for message in scan.new] == ids
    assert [message.read() for message in scan.new] == [b"".join(small), b"".join(large), b""]
    assert [message.size for message in scan.new] == [18, 5000, 0]
    assert all(message.envelope == sent for message in scan.new)
    assert scan.damage == []
    assert reader.scan().new == []
    reader.close()


def test_messages_that_come_together_are_synced_together(folder: Path, envelope: Make) -> None:
    class Counting(Disk):
        syncs = 0

        def sync(self, fd: int) -> None:
            self.syncs += 1
            super().sync(fd)

    disk = Counting()

    async def main() -> None:
        spool = Spool.open(folder, "test", clock=clock, disk=disk)
        await asyncio.gather(*(put(spool, envelope(), b"x") for _ in range(500)))
        await spool.close()

    asyncio.run(main())
    assert disk.syncs <= 5


def test_nothing_is_read_before_it_is_committed(folder: Path, envelope: Make) -> None:
    """The log may hold more than is synced; a message told 452 must not be on its way already."""
    reader_found: list[int] = []

    class Looking(Disk):
        def sync(self, fd: int) -> None:
            reader_found.append(len(reader.scan().new))
            super().sync(fd)

    async def main() -> None:
        spool = Spool.open(folder, "test", clock=clock, disk=Looking())
        for _ in range(3):
            await put(spool, envelope(), b"x")
        assert len(reader.scan().new) == 1
        await spool.close()

    folder.mkdir()
    reader = Reader.open(folder, exclusive=True)
    asyncio.run(main())
    # The number of the run, the head of the log, then each message: found once the next is being synced.
    assert reader_found == [0, 0, 0, 1, 1]
    reader.close()


def test_left_without_a_commit_nothing_stays(folder: Path, envelope: Make) -> None:
    async def work(spool: Spool) -> None:
        for size in (10, 5000):
            with suppress(KeyError):
                async with spool.begin(envelope()) as entry:
                    entry.write(b"x" * size)
                    await entry.drain()
                    raise KeyError
        async with spool.begin(envelope()) as entry:
            entry.write(b"x" * 5000)
            await entry.drain()
            entry.abort()

    run(folder, work, in_memory=2000)
    assert files(folder, ".body") == files(folder, ".log") == []
    with reading(folder) as reader:
        scan = reader.scan()
    assert (scan.new, scan.damage) == ([], [])


def test_a_cancelled_commit_ends_well(folder: Path, envelope: Make) -> None:
    async def work(spool: Spool) -> str:
        tasks = [asyncio.create_task(put(spool, envelope(), b"x" * size)) for size in (10, 5000) * 20]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return await put(spool, envelope(), b"last")

    last = run(folder, work, in_memory=2000)
    with reading(folder) as reader:
        scan = reader.scan()
        assert scan.damage == []
        assert scan.new[-1].queue_id == last
        assert all(message.read() for message in scan.new)


def test_the_envelope_may_change_until_the_commit(folder: Path, envelope: Make) -> None:
    async def work(spool: Spool) -> None:
        async with spool.begin(envelope()) as entry:
            entry.write(b"x" * 5000)
            await entry.drain()
            entry.envelope = replace(entry.envelope, held="looks like a stolen password")
            await entry.commit()

    run(folder, work, in_memory=2000)
    with reading(folder) as reader:
        assert reader.scan().new[0].status.held == "looks like a stolen password"


def test_queue_ids_are_never_used_twice(folder: Path, envelope: Make) -> None:
    async def work(spool: Spool) -> list[str]:
        return [await put(spool, envelope(), b"x") for _ in range(3)]

    ids = []
    for _ in range(3):
        ids += run(folder, work)
        with reading(folder) as reader:
            reader.mark([Mark(m.queue_id, None, State.DROPPED, clock()) for m in reader.scan().new])
            reader.tidy()
        assert files(folder, ".log") == files(folder, ".marks") == []
    (folder / "sequence").write_bytes(b"")
    kept = Spool.open(folder, "other", clock=clock)
    (folder / "sequence").unlink()
    ids += run(folder, work)
    asyncio.run(kept.close())
    assert len(set(ids)) >= 9
    assert all(len(queue_id) <= 10 for queue_id in ids)


def test_several_workers_at_once(folder: Path, envelope: Make) -> None:
    async def main() -> None:
        spools = [Spool.open(folder, f"w{n}", clock=clock, segment_size=3000) for n in range(3)]
        reader = Reader.open(folder, exclusive=True)
        found: set[str] = set()
        sent = []
        for _ in range(10):
            sent += await asyncio.gather(*(put(spool, envelope(), b"x" * 400) for spool in spools))
            new = [message.queue_id for message in reader.scan().new]
            assert found.isdisjoint(new)
            found.update(new)
            assert found == set(sent)
        await spools[0].rotate()
        for spool in spools:
            await spool.close()
        assert reader.scan() == Scan()
        reader.mark([Mark(queue_id, "b@example.org", State.DELIVERED, clock()) for queue_id in sent])
        reader.tidy()
        reader.close()

    asyncio.run(main())
    assert files(folder, ".log") == files(folder, ".marks") == files(folder, ".run") == []


def test_marks_outlive_the_relay(folder: Path, envelope: Make, now: datetime) -> None:
    async def work(spool: Spool) -> list[str]:
        return [await put(spool, envelope("b@example.org", "c@example.org"), b"x") for _ in range(2)]

    one, two = run(folder, work)
    later = now + timedelta(hours=1)

    async def relay() -> None:
        with reading(folder) as reader:
            reader.scan()
            marker = Marker(reader, lambda: now)
            await asyncio.gather(
                marker.mark(one, "b@example.org", State.DELIVERED, "250 ok"),
                marker.mark(one, "c@example.org", State.DEFERRED, "451 later", later),
                marker.mark(two, "b@example.org", State.DELIVERED),
                marker.mark(two, "c@example.org", State.FAILED, "550 no"),
            )
            await marker.mark(one, "c@example.org", State.DEFERRED, "451 later", later)
            await marker.close()

    asyncio.run(relay())
    with reading(folder) as reader:
        (message,) = reader.scan().new
        assert message.queue_id == one
        status = message.status.recipients
        assert (status["b@example.org"].state, status["b@example.org"].detail) == (State.DELIVERED, "250 ok")
        assert (status["c@example.org"].attempts, status["c@example.org"].until) == (2, later)
        with pytest.raises(Gone):
            reader.message(two)


def test_a_command_marks_beside_the_relay(folder: Path, envelope: Make, now: datetime) -> None:
    async def main() -> None:
        spool = Spool.open(folder, "w", clock=clock)
        ids = [await put(spool, envelope(), b"x") for _ in range(3)]
        with reading(folder) as relay, reading(folder, exclusive=False) as command:
            assert len(relay.scan().new) == 3
            command.scan()
            ids.append(await put(spool, envelope(held="burst"), b"y"))
            command.scan()
            command.mark([Mark(ids[0], None, State.HELD, now, "asked"), Mark(ids[1], None, State.DROPPED, now)])
            # The relay hears of this one before it has read the message.
            command.mark([Mark(ids[3], None, State.RELEASED, now)])
            relay.mark([Mark(ids[2], "b@example.org", State.DELIVERED, now)])
            scan = relay.scan()
            assert {message.queue_id for message in scan.changed} == {ids[0], ids[1]}
            assert relay.message(ids[0]).status.held == "asked"
            with pytest.raises(Gone):
                relay.message(ids[1])
            assert [(message.queue_id, message.status.held) for message in scan.new] == [(ids[3], None)]
        await spool.close()

    asyncio.run(main())


def test_only_one_process_relays(folder: Path) -> None:
    with reading(folder), pytest.raises(UserError, match="another process relays"):
        Reader.open(folder, exclusive=True)
    with reading(folder):
        pass


def test_an_unusable_folder_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "spool", tmp_path / "no" / "spool"):
        with pytest.raises(UserError, match=f"spool {folder}"):
            Spool.open(folder, "w", clock=clock)
        with pytest.raises(UserError, match=f"spool {folder}"):
            Reader.open(folder, exclusive=False)


def test_what_is_done_leaves_the_disk(folder: Path, envelope: Make, now: datetime) -> None:
    async def work(spool: Spool) -> list[str]:
        return [await put(spool, envelope(), b"%d" % n * 3000) for n in range(1000)]

    ids = run(folder, work, in_memory=1 << 20, segment_size=1 << 20)
    kept = set(ids[::100])
    with reading(folder) as reader:
        old = {message.queue_id: message for message in reader.scan().new}
        before = sum(path.stat().st_size for path in folder.glob("*.log"))
        reader.mark([Mark(queue_id, "b@example.org", State.DELIVERED, now) for queue_id in ids if queue_id not in kept])
        reader.mark([Mark(ids[0], "b@example.org", State.DEFERRED, now)])
        with reading(folder, exclusive=False) as command:
            elsewhere = {message.queue_id: message for message in command.scan().new}
            reader.tidy()
            # Both find the messages where they are now.
            for n in range(0, 1000, 100):
                assert old[ids[n]].read() == elsewhere[ids[n]].read() == b"%d" % n * 3000
        assert sum(path.stat().st_size for path in folder.glob("*.log")) < before / 20
    with reading(folder) as reader:
        scan = reader.scan()
        assert {message.queue_id for message in scan.new} == kept
        assert reader.message(ids[0]).status.recipients["b@example.org"].attempts == 1
        assert scan.damage == []


def test_the_file_of_a_large_message_goes_with_it(folder: Path, envelope: Make, now: datetime) -> None:
    async def work(spool: Spool) -> list[str]:
        return [await put(spool, envelope(), b"x" * 5000), await put(spool, envelope(), b"y" * 5000)]

    one, two = run(folder, work, in_memory=2000)
    with reading(folder) as reader:
        message = reader.scan().new[0]
        reader.mark([Mark(one, "b@example.org", State.DELIVERED, now)])
        assert files(folder, ".body") == [f"{two}.body"]
        with pytest.raises(Gone):
            message.read()


@pytest.mark.parametrize(("size", "tidied"), [(5000, False), (5000, True), (50, True)])
def test_what_is_delivered_while_another_looks_is_not_called_damaged(
    folder: Path, envelope: Make, now: datetime, size: int, tidied: bool
) -> None:
    async def work(spool: Spool) -> str:
        return await put(spool, envelope(), b"x" * size)

    queue_id = run(folder, work, in_memory=2000)
    with reading(folder) as relay, reading(folder, exclusive=False) as command:
        (message,) = command.scan().new
        relay.scan()
        relay.mark([Mark(queue_id, "b@example.org", State.DELIVERED, now)])
        if tidied:
            relay.tidy()
        with pytest.raises(Gone):
            message.read()


def test_what_is_taken_from_under_the_relay_is_damaged(folder: Path, envelope: Make) -> None:
    async def work(spool: Spool) -> str:
        return await put(spool, envelope(), b"x" * 50)

    run(folder, work)
    with reading(folder) as relay:
        (message,) = relay.scan().new
        message.segment.path.unlink()
        with pytest.raises(Damaged):
            message.read()


@pytest.mark.parametrize("size", [50, 5000])
def test_a_message_that_rots_is_never_handed_out(folder: Path, envelope: Make, size: int) -> None:
    async def work(spool: Spool) -> str:
        await put(spool, envelope(), b"before")
        queue_id = await put(spool, envelope(), b"x" * size)
        await put(spool, envelope(), b"after")
        return queue_id

    queue_id = run(folder, work, in_memory=2000)
    path = next(path for path in folder.iterdir() if path.is_file() and b"x" * 50 in path.read_bytes())
    with reading(folder) as reader:
        before, message, after = reader.scan().new
        path.write_bytes(path.read_bytes().replace(b"xxx", b"xyx"))
        with pytest.raises(Damaged, match=queue_id):
            message.read()
        assert (before.read(), after.read()) == (b"before", b"after")
    with reading(folder) as reader:
        scan = reader.scan()
        if size == 5000:
            path.unlink()
            with pytest.raises(Damaged, match="missing"):
                scan.new[1].read()
        else:
            assert [message.read() for message in scan.new] == [b"before", b"after"]
            (damage,) = scan.damage
            assert damage.aside is not None
            assert b"xyx" in damage.aside.read_bytes()
    with reading(folder) as reader:
        assert reader.scan().damage == []


def test_a_log_without_its_first_line_is_set_aside_whole(folder: Path, envelope: Make) -> None:
    """Without the token nothing in it can be told from what a sender wrote into a body."""
    text = b'{"id":"1-1"}'
    forged = b"message  %08x %s\n\n" % (zlib.crc32(text), text)

    async def work(spool: Spool) -> None:
        await put(spool, envelope(), forged)

    run(folder, work)
    log = folder / files(folder, ".log")[0]
    content = b"?" + log.read_bytes()[1:]
    log.write_bytes(content)
    with reading(folder) as reader:
        scan = reader.scan()
        assert scan.new == []
        assert [damage.aside and damage.aside.read_bytes() for damage in scan.damage] == [content]
        reader.tidy()
    assert files(folder, ".log") == []


def test_what_is_still_arriving_is_left_alone(folder: Path, envelope: Make) -> None:
    async def main() -> None:
        spool = Spool.open(folder, "w", clock=clock, in_memory=2000)
        async with spool.begin(envelope()) as entry:
            entry.write(b"x" * 5000)
            await entry.drain()
            with reading(folder) as reader:
                assert reader.scan() == Scan()
                await entry.commit()
                assert reader.scan().new[0].read() == b"x" * 5000
        await spool.close()

    asyncio.run(main())


def test_10_mb(folder: Path, envelope: Make) -> None:
    block = os.urandom(1 << 16)

    async def work(spool: Spool) -> None:
        await asyncio.gather(*(put(spool, envelope(), *[block] * 160) for _ in range(3)))

    run(folder, work)
    with reading(folder) as reader:
        for message in reader.scan().new:
            assert message.size == 10 << 20
            assert max(map(len, message.blocks())) <= 1 << 20
            assert message.read() == block * 160


def test_a_long_queue_is_read_in_parts(folder: Path, envelope: Make) -> None:
    async def work(spool: Spool) -> list[str]:
        return [await put(spool, envelope(), b"x" * 500) for _ in range(30)]

    ids = run(folder, work, segment_size=3000)
    with reading(folder) as reader:
        scans = [reader.scan(limit=8)]
        while scans[-1].more:
            scans.append(reader.scan(limit=8))
        assert len(scans) > 2
        assert [message.queue_id for scan in scans for message in scan.new] == ids


def test_an_unreadable_log_keeps_nothing_else_back(folder: Path, envelope: Make) -> None:
    class Refusing(Disk):
        refuse = ""

        def open(self, path: Path, flags: int) -> int:
            if self.refuse and path.name == self.refuse:
                raise PermissionError(13, "Permission denied")
            return super().open(path, flags)

    async def work(spool: Spool) -> None:
        await put(spool, envelope(), b"x" * 5000)

    run(folder, work, in_memory=2000)
    run(folder, work, in_memory=2000)
    disk = Refusing()
    disk.refuse = files(folder, ".log")[0]
    reader = Reader.open(folder, exclusive=True, disk=disk)
    scan = reader.scan()
    assert (len(scan.new), [damage.what for damage in scan.damage]) == (
        1,
        [f"{disk.refuse} cannot be read: Permission denied"],
    )
    assert (reader.scan().new, reader.scan().damage) == ([], [])
    disk.refuse = ""
    (message,) = reader.scan().new
    assert message.read() == b"x" * 5000
    reader.close()
