"""Log-ins for an event loop: the store is read and passwords are hashed in threads, a bounded number at a time.

Reading and hashing have threads of their own, so that those whose password is in the cache never queue behind those
whose password must be hashed: guessers, above all. Those who must be hashed come in this order: who logged in from
there before; then whose block failed least lately and has the fewest that wait. However many guess, a customer at a
new address waits behind first tries only.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from op25b.errors import Missing, UserError
from op25b.subscribers.accounts import Account
from op25b.subscribers.dovecot_accounts import DovecotAccounts
from op25b.subscribers.dovecot_auth import Away
from op25b.subscribers.lockout import Address
from op25b.subscribers.login import Logins, Question, Result
from op25b.subscribers.turns import Full, Turns

T = TypeVar("T")
P = ParamSpec("P")
Sleep = Callable[[float], Awaitable[None]]


DOVECOT_FAILURE_SECONDS = 3.0
"""Dovecot refuses after 2 seconds, and looks twice a second whether they are over."""


class Unavailable(Exception):
    """No answer now: too many log-ins wait, or the store cannot be read. To the client: 454 4.7.0, try again later."""


@dataclass(frozen=True)
class Settings:
    """`failure_seconds`: a failed log-in is answered so long after it was asked, or at a multiple of that.

    Whatever a check cost (an imported bcrypt hash 40 ms, none for who is locked out), the answer's time does not tell.
    As Dovecot's `auth_failure_delay`, it also slows guessing. Where a Dovecot is asked as well it must be longer than
    that (see DOVECOT_FAILURE_SECONDS): else it would tell which names are the store's.

    `hashing_threads`: passwords hashed at once, each with 19 MiB. `waiting`: those that may wait for it, and
    `patience_seconds`: how long.
    """

    hashing_threads: int = 2
    reading_threads: int = 4
    waiting: int = 500
    patience_seconds: float = 20.0
    failure_seconds: float = 1.0


class AsyncLogins:
    """`Logins` for one event loop. `clock` as there; `sleep` as `asyncio.sleep`; `dovecot`: asked for other names."""

    def __init__(
        self,
        logins: Logins,
        settings: Settings,
        clock: Callable[[], float],
        sleep: Sleep = asyncio.sleep,
        dovecot: DovecotAccounts | None = None,
    ) -> None:
        self._dovecot = dovecot
        self._logins, self._settings, self._clock, self._sleep = logins, settings, clock, sleep
        self._reading = ThreadPoolExecutor(settings.reading_threads, thread_name_prefix="op25b-accounts")
        self._hashing = ThreadPoolExecutor(settings.hashing_threads, thread_name_prefix="op25b-passwords")
        self._turns = Turns(settings.hashing_threads, settings.waiting, settings.patience_seconds)
        self._from: Counter[str] = Counter()
        self._proofs: dict[bytes, asyncio.Future[Result]] = {}
        self._renewals: dict[str, asyncio.Task[None]] = {}

    async def check(self, name: str, password: str, address: Address) -> Result:
        """A log-in by name and password. Raises Unavailable."""
        started = self._clock()
        question = await self._run(self._reading, self._logins.look_up, name, address)
        result = self._logins.decide(question, password)
        if result is None:
            result = await self._proved(question, password, address)
        return await self._answer(question, password if question.account else None, result, started)

    async def begin_scram(self, name: str, address: Address) -> Question:
        """What is known of a name, for a SCRAM exchange over its `keys`. Raises Unavailable."""
        return await self._run(self._reading, self._logins.look_up, name, address)

    def at_once(self, name: str, password: str, address: Address) -> Result | None:
        """`check`, if it takes no waiting; see `Logins.at_once`."""
        return self._logins.at_once(name, password, address)

    async def end_scram(self, question: Question, proved: bool, unique: bytes) -> Result:
        """The end of that exchange; see `Logins.end_scram`."""
        started = self._clock()
        return await self._answer(question, None, self._logins.end_scram(question, proved, unique), started)

    async def account(self, name: str) -> Account | None:
        """The account of a prepared name as it is now, for one that was let in before. Raises Unavailable."""
        account = await self._run(self._reading, self._logins.account, name)
        return self._dovecot.account(name) if account is None and self._dovecot is not None else account

    async def owner(self, names: Sequence[str], sender: str) -> Account | None:
        """The first of these accounts, known without a log-in here, that may send as `sender`. Raises Unavailable."""
        elsewhere = None if self._dovecot is None else self._dovecot.account
        return await self._run(self._reading, self._logins.owner, names, sender, elsewhere)

    async def fail(self) -> None:
        """Wait as long as a failed log-in does, for an exchange that failed before anything was checked."""
        await self._sleep(self._settings.failure_seconds)

    async def close(self) -> None:
        """Let what was begun end."""
        await asyncio.gather(*self._renewals.values())
        self._reading.shutdown()
        self._hashing.shutdown()
        self._logins.close()
        if self._dovecot is not None:
            await self._dovecot.close()

    async def _proved(self, question: Question, password: str, address: Address) -> Result:
        """What the check of it says that is under way already, or a new one."""
        ticket = self._logins.ticket(question, password)
        if (proof := self._proofs.get(ticket)) is None:
            proof = self._proofs[ticket] = asyncio.ensure_future(self._prove(question, password, address))
            proof.add_done_callback(lambda _: self._proofs.pop(ticket))
        return await asyncio.shield(proof)

    async def _prove(self, question: Question, password: str, address: Address) -> Result:
        if self._dovecot is not None and self._is_elsewhere(question):
            return await self._ask_dovecot(self._dovecot, question, password, address)
        strange, failed = self._logins.rank(question)
        rank = strange, failed + self._from[question.block]
        self._from[question.block] += 1
        try:
            async with self._turns.turn(rank):
                return await self._run(self._hashing, self._logins.prove, question, password)
        except Full as error:
            raise Unavailable(f"passwords are being checked: {error}") from None
        finally:
            self._from[question.block] -= 1
            if not self._from[question.block]:
                del self._from[question.block]

    def _is_elsewhere(self, question: Question) -> bool:
        return self._dovecot is not None and question.account is None and question.name != ""

    async def _ask_dovecot(
        self, dovecot: DovecotAccounts, question: Question, password: str, address: Address
    ) -> Result:
        try:
            async with dovecot.in_turn(question.name, question.block):
                # those before may have failed
                if refused := self._logins.decide(question, password):
                    return refused
                account = await dovecot.check(question.name, password, address)
                return self._logins.proved_elsewhere(question, password, account)
        except Away as away:
            raise Unavailable(str(away)) from away

    async def _answer(self, question: Question, password: str | None, result: Result, started: float) -> Result:
        if result.account is None:
            step = self._settings.failure_seconds
            taken = self._clock() - started
            await self._sleep(step * (math.floor(taken / step) + 1) - taken)
        elif question.name not in self._renewals and self._logins.needs_renewal(question, password, result):
            work = self._run(self._hashing, self._logins.renew, question, password, result)
            task = self._renewals[question.name] = asyncio.ensure_future(work)
            task.add_done_callback(lambda _: self._renewals.pop(question.name))
        return result

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, partial(work, *arguments, **named))
        except (UserError, Missing, SQLAlchemyError) as error:
            raise Unavailable(str(error)) from error
