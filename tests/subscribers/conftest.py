"""Stores on both databases, and everything that a log-in needs, with clocks that tests move."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import argon2
import pytest

from op25b.store import Store, upgrade
from op25b.store.audit import By
from op25b.subscribers.accounts import Accounts, New
from op25b.subscribers.lockout import Limits, Lockout
from op25b.subscribers.login import Logins
from op25b.subscribers.login_cache import LoginCache
from op25b.subscribers.passwords import Hasher, Secret
from tests.support.databases import postgresql, url

__all__ = ["postgresql", "url"]

CHEAP = argon2.profiles.CHEAPEST
START = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def hasher() -> Hasher:
    """One whose hashes cost nothing."""
    return Hasher(os.urandom, CHEAP, scram_iterations=4096)


@dataclass
class Clock:
    """Both clocks; they stand still between `move`s."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def move(self, seconds: float) -> None:
        self.seconds += seconds


class CountingHasher(Hasher):
    """Counts the passwords that it hashes."""

    checks = 0

    def check(self, stored: str, password: str) -> bool:
        self.checks += 1
        return super().check(stored, password)


@dataclass
class House:
    """A store with accounts, and the log-ins to it."""

    store: Store
    clock: Clock = field(default_factory=Clock)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.hasher = CountingHasher(os.urandom, CHEAP, scram_iterations=4096)
        self.accounts = Accounts(self.store)
        self.logins = self.new_process()

    def new_process(self) -> Logins:
        """Log-ins that know nothing but the store."""
        self.lockout, self.cache = Lockout(self.limits), LoginCache(os.urandom(32))
        return self.fork()

    def fork(self) -> Logins:
        """Those of another worker of the same service."""
        return Logins(self.store, self.hasher, self.lockout, self.cache, self.clock, self.clock.wall)

    def by(self, why: str = "test") -> By:
        return By("tester", self.clock.wall(), why)

    def add(self, name: str, password: str | None = None, stored: Secret | None = None) -> None:
        secret = stored or self.hasher.make(password or "")
        self.accounts.add([New(name, secret, frozenset({f"{name}@example.jp"}))], self.by())


@pytest.fixture
def house(store: Store) -> House:
    return House(store)
