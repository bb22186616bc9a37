"""Who relays hears at once that there is something new, from whatever process."""

from __future__ import annotations

import asyncio
import os
import select
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from op25b.submission.spool.bell import NAME, Bell, Ear
from op25b.submission.spool.envelope import Envelope, Origin, Recipient
from op25b.submission.spool.marks import Mark, State
from op25b.submission.spool.reader import Reader
from op25b.submission.spool.writer import Spool

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ENVELOPE = Envelope("a@example.net", (Recipient("b@example.com"),), NOW, Origin("192.0.2.1", "ESMTPSA"))


def rings(ear: Ear, seconds: float = 0) -> bool:
    return bool(select.select([ear.fd], [], [], seconds)[0])


def test_a_commit_and_an_operators_mark_ring_and_the_relays_own_marks_do_not(tmp_path: Path) -> None:
    async def play() -> None:
        spool = Spool.open(tmp_path, "worker", clock=lambda: NOW)
        ear = Ear(tmp_path)
        async with spool.begin(ENVELOPE) as entry:
            entry.write(b"x\r\n")
            assert not rings(ear)
            queue_id = await entry.commit()
        assert rings(ear)
        ear.hush()
        assert not rings(ear)
        relay = Reader.open(tmp_path, exclusive=True)
        relay.scan()
        relay.mark([Mark(queue_id, "b@example.com", State.DEFERRED, NOW)])
        assert not rings(ear)
        other = Reader.open(tmp_path, exclusive=False)
        other.scan()
        other.mark([Mark(queue_id, None, State.RETRY, NOW)])
        assert rings(ear)
        relay.close()
        ear.close()
        await spool.close()

    asyncio.run(play())


def test_it_reaches_another_process_and_a_new_one_after_it_died(tmp_path: Path) -> None:
    bell = Bell(tmp_path)
    bell.ring()  # nobody listens
    for _ in range(2):
        ear = Ear(tmp_path)
        if (pid := os.fork()) == 0:
            bell.ring()
            os._exit(0)
        os.waitpid(pid, 0)
        assert rings(ear)
        ear.close()
        bell.ring()  # into a pipe that nobody reads any more, and again to find it closed
        bell.ring()
    bell.close()


def test_a_bell_that_nobody_hushes_never_blocks(tmp_path: Path) -> None:
    ear, bell = Ear(tmp_path), Bell(tmp_path)
    began = time.monotonic()
    for _ in range(100_000):
        bell.ring()
    assert time.monotonic() - began < 10
    assert rings(ear)
    bell.close()
    ear.close()


def test_what_is_no_pipe_is_not_listened_to(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"restored from a backup")
    with pytest.raises(OSError, match="no named pipe"):
        Ear(tmp_path)
