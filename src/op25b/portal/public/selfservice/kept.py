"""What self-service keeps while the process lasts, whatever policy is in force: who has tried how often, above all."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from op25b.store import Store
from op25b.subscribers.credentials.pop_login import PopLogin, PopServer
from op25b.subscribers.credentials.proofs import PopPasswords, StorePasswords
from op25b.subscribers.credentials.tries import Allowance, Sleep, Tries
from op25b.subscribers.lockout import Limits, Lockout
from op25b.subscribers.passwords import Hasher, Random

A_DAY = 86_400.0
PASSWORDS_A_DAY = 5
"""New ones for one mail address."""
REQUESTS_A_DAY = 10
"""Requests for letters and exemptions from one block of addresses, which an office may share."""


@dataclass(frozen=True)
class Kept:
    """All of it. `seconds` only go up."""

    hasher: Hasher
    passwords: PopPasswords
    tries: Tries
    limits: Limits
    new_passwords: Allowance
    requests: Allowance
    seconds: Callable[[], float]


def kept(
    store: Store,
    pop: PopServer | None,
    random: Random,
    hasher: Hasher | None = None,
    seconds: Callable[[], float] = time.monotonic,
    sleep: Sleep = asyncio.sleep,
) -> Kept:
    """At the start of the process. `pop`: where POP passwords are checked, else by the accounts of the store."""
    hasher = hasher or Hasher(random)
    passwords: PopPasswords = StorePasswords(store, hasher)
    if pop is not None:
        passwords = PopLogin(pop, ssl.create_default_context())
    limits = Limits()
    return Kept(
        hasher, passwords, Tries(Lockout(limits), random(32), seconds, sleep), limits,
        Allowance(PASSWORDS_A_DAY, A_DAY), Allowance(REQUESTS_A_DAY, A_DAY), seconds,
    )  # fmt: skip
