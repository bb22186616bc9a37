"""Processes for tests that kill them: `load.py take FOLDER WORKER MESSAGES` and `load.py relay FOLDER`.

Each says on standard output what it did, a line a message. A message's body follows from its queue id.
"""

from __future__ import annotations

import asyncio
import os
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path

from op25b.submission.spool import Envelope, Mark, Origin, Reader, Recipient, Spool, State

IN_MEMORY = 16 << 10


def clock() -> datetime:
    return datetime.now(UTC)


def body_of(queue_id: str) -> bytes:
    """Mostly small, one of 16 large."""
    seed = zlib.crc32(queue_id.encode())
    return queue_id.encode() * (1 + seed % (10_000 if seed % 16 == 0 else 500))


def say(*words: str) -> None:
    os.write(1, " ".join(words).encode() + b"\n")


async def take(folder: Path, worker: str, messages: int) -> None:
    spool = Spool.open(folder, worker, clock=clock, segment_size=1 << 20, in_memory=IN_MEMORY)
    envelope = Envelope("a@example.net", (Recipient("b@example.org"),), clock(), Origin("192.0.2.1", "ESMTPSA"))
    left = messages

    async def connection() -> None:
        nonlocal left
        while left:
            left -= 1
            async with spool.begin(envelope) as entry:
                body = body_of(entry.queue_id)
                for at in range(0, len(body), 4096):
                    entry.write(body[at : at + 4096])
                    await entry.drain()
                say("taken", await entry.commit())

    await asyncio.gather(*(connection() for _ in range(20)))
    await spool.close()


def relay(folder: Path) -> None:
    """Delivers all but one in 20, which keep their logs from being removed whole."""
    reader = Reader.open(folder, exclusive=True)
    while True:
        new = reader.scan(limit=100).new
        for at in range(0, len(new), 20):
            done = []
            for message in new[at : at + 20]:
                queue_id = message.queue_id
                say("delivered" if message.read() == body_of(queue_id) else "wrong", queue_id)
                if zlib.crc32(queue_id.encode()) % 20:
                    done.append(queue_id)
            reader.mark([Mark(queue_id, "b@example.org", State.DELIVERED, clock()) for queue_id in done])
            for queue_id in done:
                say("marked", queue_id)
        reader.tidy()
        say("idle")


if __name__ == "__main__":
    if sys.argv[1] == "take":
        asyncio.run(take(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
    else:
        relay(Path(sys.argv[2]))
