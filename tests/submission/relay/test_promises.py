"""What the listener offers is kept on the way out, or its sender hears of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.submission.relay.peers import Script, peer
from tests.submission.relay.world import DELIVERED, FAILED, world

EIGHT_BIT = "From: a@example.net\r\n\r\n\u3053\u3093\r\n".encode()
WIDE = "bob@\u4f8b.example"


@pytest.mark.parametrize(
    ("hide", "to", "envelope", "content", "status"),
    [
        ("8BITMIME", "bob@example.com", {}, EIGHT_BIT, "5.6.3"),
        # what was announced as 8-bit text and is none needs no 8BITMIME
        ("8BITMIME", "bob@example.com", {"body": "8BITMIME"}, b"A: b\r\n\r\nx\r\n", None),
        ("SMTPUTF8", WIDE, {"smtputf8": True}, EIGHT_BIT, "5.6.7"),
        ("nothing", WIDE, {"smtputf8": True}, EIGHT_BIT, None),
        ("nothing", "bob@example.com", {"body": "BINARYMIME"}, EIGHT_BIT, "5.6.3"),
    ],
    ids=["7-bit", "7-bit-enough", "no-smtputf8", "smtputf8", "no-binarymime"],
)
def test_kept_or_bounced(
    tmp_path: Path, hide: str, to: str, envelope: dict[str, Any], content: bytes, status: str | None
) -> None:
    async def play() -> None:
        script = Script(hide={hide})
        # bounces have a host of their own
        async with (
            peer(script) as hop,
            peer() as home,
            world(tmp_path, smart_host=hop.hop, routes={"example.net": home.hop}) as here,
        ):
            await here.submit(to, content=content, **envelope)
            await here.run()
            assert here.last(to)["event"] == (DELIVERED if status is None else FAILED)
            assert [each.content for each in hop.got] == ([content] if status is None else [])
            bounces = home.contents("alice@example.net")
            assert len(bounces) == (status is not None)
            assert status is None or f"Status: {status}\r\n".encode() in bounces[0]

    asyncio.run(play())
