"""infonia's pages, a POP server that tests make up, and a visitor who fills in forms."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from html import unescape
from ipaddress import IPv4Address
from zoneinfo import ZoneInfo

import httpx
import pytest

from op25b.policy.model import Policy
from op25b.portal.public.application import application
from op25b.portal.public.selfservice.kept import Kept, kept
from op25b.processes import listening
from op25b.store import Store
from op25b.subscribers.passwords import Hasher
from tests.portal.public.conftest import Portal, example
from tests.subscribers.conftest import CHEAP
from tests.subscribers.credentials.conftest import Mailboxes
from tests.support.databases import postgresql
from tests.support.web import running

__all__ = ["postgresql"]

JAPAN = ZoneInfo("Asia/Tokyo")
IN_FEBRUARY = datetime(2008, 2, 20, 10, 30, tzinfo=JAPAN)
IN_APRIL = datetime(2008, 4, 10, 10, 30, tzinfo=JAPAN)
VISITOR = "198.19.64.7"
TARO, POP_PASSWORD = "taro@imart.example", "pop-himitsu"


@dataclass
class SelfService(Portal):
    """infonia's pages, with clocks that tests move; nobody waits for a failure."""

    mailboxes: Mailboxes = field(default_factory=lambda: Mailboxes({TARO: POP_PASSWORD}))
    seconds: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def kept(self) -> Kept:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        hasher = Hasher(os.urandom, CHEAP, scram_iterations=4096)
        made = kept(self.store, None, os.urandom, hasher, lambda: self.seconds, sleep)
        return replace(made, passwords=self.mailboxes)

    def visitor(self, address: str = VISITOR) -> Visitor:
        return Visitor(self.client(address))


@dataclass
class Visitor:
    """Opens pages and sends their forms, as a browser does."""

    client: httpx.Client
    page: str = ""

    def open(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        self.page = answer.text
        return self.page

    def send(self, path: str, **fields: str) -> httpx.Response:
        """The form of a page, with its token."""
        token = re.search(r'name="form_token" value="(\w+)"', self.open(path))
        assert token is not None
        answer = self.client.post(path, data={"form_token": token[1], **fields})
        self.page = answer.text
        return answer

    def apply(self, password: str = POP_PASSWORD, address: str = TARO, language: str = "en") -> httpx.Response:
        return self.send(f"/{language}/credentials/imart", address=address, password=password)

    @property
    def codes(self) -> list[str]:
        """What is to be copied."""
        return [unescape(each) for each in re.findall(r"<code>([^<]*)</code>", self.page)]


@contextmanager
def serving(store: Store, policy: Policy) -> Iterator[SelfService]:
    bound = listening.single(IPv4Address("127.0.0.1"), 0)
    made = SelfService(policy, store, bound.getsockname()[1], IN_FEBRUARY)
    with running(application(made.context()), bound):
        yield made


@pytest.fixture
def pages(store: Store) -> Iterator[SelfService]:
    with serving(store, example("infonia")) as made:
        yield made


@pytest.fixture
def taro(pages: SelfService) -> Iterator[Visitor]:
    made = pages.visitor()
    yield made
    made.client.close()
