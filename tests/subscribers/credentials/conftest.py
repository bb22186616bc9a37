"""Self-service over a real store, with a POP server that tests make up, and clocks that tests move."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import pytest

from op25b.policy.credentials import Credentials
from op25b.store import Store
from op25b.subscribers.accounts import Account
from op25b.subscribers.credentials.acceptances import Acceptances
from op25b.subscribers.credentials.applications import Applications
from op25b.subscribers.credentials.issuing import Issuing
from op25b.subscribers.credentials.proofs import Away
from op25b.subscribers.credentials.tries import Allowance, Tries
from op25b.subscribers.lockout import Address, Limits, Lockout
from tests.subscribers.conftest import House

MOST = 5
VISITOR = ip_address("198.19.64.7")
ELSEWHERE = ip_address("203.0.113.9")


@dataclass
class Mailboxes:
    """POP passwords by address; it counts how often it is asked."""

    known: dict[str, str]
    asked: int = 0
    away: bool = False

    async def check(self, address: str, password: str, visitor: Address) -> bool:
        self.asked += 1
        if self.away:
            raise Away("it is being repaired")
        return self.known.get(address) == password

    def close(self) -> None:
        pass


@dataclass
class Counter:
    """The page, without pages."""

    house: House
    mailboxes: Mailboxes
    slept: list[float] = field(default_factory=list)
    logged: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        house = self.house
        self.lockout = Lockout(Limits(pair=3, block=8))
        self.issuing = Issuing(house.store, house.hasher, Credentials(user_name="issued"), os.urandom)
        self.acceptances = Acceptances(house.store, house.hasher)
        tries = Tries(self.lockout, os.urandom(32), house.clock, self._sleep)
        self.applications = Applications(
            self.mailboxes,
            self.issuing,
            self.acceptances,
            tries,
            Allowance(MOST, 86_400),
            house.clock,
            house.clock.wall,
            self,
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def account(self, name: str) -> Account:
        found = self.house.accounts.find(name)
        assert found is not None
        return found

    def opens(self, name: str, password: str) -> bool:
        return self.house.hasher.check(self.account(name).secret.hash, password)

    def info(self, event: str, **values: Any) -> None:
        self.logged.append({"event": event, **values})

    warning = info


@pytest.fixture
def counter(store: Store) -> Counter:
    return Counter(House(store), Mailboxes({"taro@imart.example": "pop-himitsu"}))
