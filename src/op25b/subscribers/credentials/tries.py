"""Proofs that strangers offer: counted, one after the other, and answered at a time that tells nothing."""

from __future__ import annotations

import asyncio
import hmac
import math
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TypeVar

from op25b.subscribers.failures import Failures
from op25b.subscribers.lockout import Address, Answer, Lockout, block_of
from op25b.subscribers.turns import Full, OneByOne

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

FAILURE_SECONDS = 3.0
"""Longer than the 2 seconds that Dovecot takes over a failed log-in."""
WAITING = 200


class Refused(Enum):
    """Why a proof did not lead to anything; the same words whether the account exists or not."""

    WRONG = "wrong"
    WAIT = "too many tries"
    ENOUGH = "as often as it may be today"
    AWAY = "it cannot be checked now"
    SUSPENDED = "the account is suspended"


class Allowance:
    """So many of something for each key, within a window that slides. `now`: seconds of a clock that only goes up."""

    def __init__(self, most: int, window_seconds: float, keys: int = 16384) -> None:
        self._most, self.window_seconds, self._number = most, window_seconds, 0
        self._taken = Failures(keys, most, window_seconds)

    def is_left(self, key: str, now: float) -> bool:
        """Whether one more may be taken."""
        return self._taken.count(key.encode(), now) < self._most

    def take(self, key: str, now: float) -> bool:
        """Take one; False if none is left."""
        if not self.is_left(key, now):
            return False
        self._number += 1
        self._taken.add(key.encode(), self._number.to_bytes(8, "big"), now)
        return True


class Tries:
    """For one event loop. `key`: 32 octets of randomness; `clock`: seconds that only go up.

    A wrong proof is answered FAILURE_SECONDS after it was asked, or at a multiple of that: whether there is such an
    account does not show in the answer's time (as in `async_login`), and guessing is slow.
    """

    def __init__(self, lockout: Lockout, key: bytes, clock: Callable[[], float], sleep: Sleep = asyncio.sleep) -> None:
        self._lockout, self._key, self._clock, self._sleep = lockout, key, clock, sleep
        self._turns = OneByOne(WAITING)

    async def attempt(
        self, what: str, name: str, proof: str, visitor: Address, check: Callable[[], Awaitable[T | Refused]]
    ) -> T | Refused:
        """What `check` gives for the proof of a name. What is WRONG is counted; `what` keeps the counts apart."""
        started, account, block = self._clock(), f"{what} {name}", block_of(visitor)
        mark = hmac.digest(self._key, proof.encode("utf-8", "surrogatepass"), "sha256")
        try:
            # a burst of guesses would all be asked before one is counted
            async with self._turns.turn((account, block)):
                result = await self._checked(account, block, mark, check)
        except Full:
            result = Refused.AWAY
        if result is Refused.WRONG:
            taken = self._clock() - started
            await self._sleep(FAILURE_SECONDS * (math.floor(taken / FAILURE_SECONDS) + 1) - taken)
        return result

    async def _checked(
        self, account: str, block: str, mark: bytes, check: Callable[[], Awaitable[T | Refused]]
    ) -> T | Refused:
        if self._lockout.answer(account, block, False, self._clock()) is not Answer.LET:
            return Refused.WAIT
        if self._lockout.failed_before(account, block, mark, self._clock()):
            return Refused.WRONG
        found = await check()
        if found is Refused.WRONG:
            self._lockout.failed(account, block, False, mark, self._clock())
        elif not isinstance(found, Refused):
            self._lockout.succeeded(account, block)
        return found
