"""A process's clock: what it does each second, and what now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def tick(each: Callable[[float], object], seldom: Callable[[], Awaitable[object]], seldom_seconds: float) -> None:
    """Calls `each` every second, with monotonic seconds; awaits `seldom` less often. Runs until it is cancelled."""
    seldom_at = time.monotonic() + seldom_seconds
    while True:
        await asyncio.sleep(1)
        now = time.monotonic()
        each(now)
        if now >= seldom_at:
            seldom_at = now + seldom_seconds
            await seldom()
