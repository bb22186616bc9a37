"""What a log-in costs op25b: the first one, with argon2id, and the next within ten minutes, from the cache.

The cache (subscribers/login_cache.py) keeps, in a worker's memory only, an HMAC under a random key over the account's
name, version and stored hash and the password. Any change of the account ends it, a wrong password never meets it and
costs the full check, and it is on no disk.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import partial

from figures import Row, interleaved, main, seconds
from smtpload import PASSWORD, account

from op25b.subscribers.accounts import Account
from op25b.subscribers.login_cache import KEY_OCTETS, LoginCache
from op25b.subscribers.passwords import ARGON2, Hasher

CACHED = 1000
"""Look-ups timed together."""


def run(quick: bool) -> list[Row]:
    hasher, cache, now = Hasher(os.urandom), LoginCache(os.urandom(KEY_OCTETS)), datetime.now(UTC)
    name, secret = account(0), hasher.make(PASSWORD)
    customer = Account(name, secret, frozenset({name}), {}, None, 1, now, now)
    cache.learn(customer, PASSWORD, time.monotonic())

    def again() -> None:
        for _ in range(CACHED):
            if not cache.knows(customer, PASSWORD, time.monotonic()):
                raise RuntimeError("the cache has forgotten the log-in")

    took = interleaved(
        {
            "full": partial(seconds, lambda: hasher.check(secret.hash, PASSWORD)),
            "again": partial(seconds, again),
        },
        3 if quick else 15,
    )
    full, cached = took["full"], took["again"]
    cost = f"argon2id, {ARGON2.memory_cost >> 10} MiB, {ARGON2.time_cost} passes"
    return [
        Row(
            "password check at a log-in within ten minutes of the last",
            f"{cached.median / CACHED * 1e6:.1f} us (cache)",
            f"{full.median * 1e3:.1f} ms (full check: {cost})",
            full.median / (cached.median / CACHED),
            f"full {full.spread(1e3, 1)} ms, on one processor",
        )
    ]


if __name__ == "__main__":
    main(run)
