"""Where a POP password is checked: by what the store has of it, or by the POP server itself."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from op25b.store.engine import Store
from op25b.subscribers.credentials.issuing import owned
from op25b.subscribers.lockout import Address
from op25b.subscribers.passwords import Hasher

HASHING_THREADS = 2


class Away(Exception):
    """Whether the password is right cannot be said now: the POP server does not answer, or refuses to."""


class PopPasswords(Protocol):
    """Who knows the customers' POP passwords."""

    async def check(self, address: str, password: str, visitor: Address) -> bool:
        """True if this is the password of the mailbox; `address` as `names.sender` gives it. Raises Away."""
        ...

    def close(self) -> None:
        """Nothing is asked any more."""
        ...


class StorePasswords:
    """The accounts of the store, for a provider whose POP passwords are there (`op25b account import`)."""

    def __init__(self, store: Store, hasher: Hasher) -> None:
        self._store, self._hasher = store, hasher
        self._pool = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="op25b-proofs")

    async def check(self, address: str, password: str, visitor: Address) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._check, address, password)

    def close(self) -> None:
        self._pool.shutdown()

    def _check(self, address: str, password: str) -> bool:
        with self._store.read() as connection:
            account = owned(connection, address)
        if account is None:
            self._hasher.check_nobody(password)
            return False
        return self._hasher.check(account.secret.hash, password)
