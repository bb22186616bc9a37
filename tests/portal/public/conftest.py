"""The customers' pages on a port of the loopback, for each provider, and clients of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Any

import dns.name
import dns.resolver
import httpx
import pytest
from playwright.sync_api import Browser

from op25b.policy.load import load
from op25b.policy.model import Policy
from op25b.portal.public.application import application
from op25b.portal.public.config import Portal as Settings
from op25b.portal.public.context import Context
from op25b.portal.public.reach import Reach
from op25b.portal.public.selfservice.kept import Kept, kept
from op25b.processes import listening
from op25b.store import Store, upgrade
from tests.support.browser import chromium
from tests.support.examples import FOLDER
from tests.support.web import Log, running

PROVIDERS = ("netlaputa", "fitweb", "nmtnet", "sonet", "infonia")
NOW = datetime(2010, 12, 1, 10, 30, tzinfo=timezone(timedelta(hours=9)))


class NoNames:
    """A resolver that knows nobody."""

    def resolve(self, qname: dns.name.Name, rdtype: str) -> Any:
        raise dns.resolver.NXDOMAIN


@dataclass
class Portal:
    """Running pages. Their clock stands still; the loopback is a trusted proxy, so that a visitor may be anybody."""

    policy: Policy
    store: Store
    port: int = 0
    now: datetime = NOW
    logged: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def context(self) -> Context:
        settings = Settings.model_validate({"url": self.url, "trusted_proxies": [ip_network("127.0.0.0/8")]})
        return Context(
            self.policy, settings, self.store, lambda: self.now, os.urandom, bytes(32), Log(self.logged),
            lambda _: None, Reach(NoNames(), time.monotonic), self.kept(),
        )  # fmt: skip

    def kept(self) -> Kept:
        return kept(self.store, None, os.urandom)

    def client(self, visitor: str | None = None) -> httpx.Client:
        headers = {} if visitor is None else {"X-Forwarded-For": visitor}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)


@contextmanager
def serving(policy: Policy, store: Store) -> Iterator[Portal]:
    """The pages of a policy."""
    bound = listening.single(IPv4Address("127.0.0.1"), 0)
    portal = Portal(policy, store, bound.getsockname()[1])
    with running(application(portal.context()), bound):
        yield portal


def example(name: str) -> Policy:
    policy = load((FOLDER / f"{name}.toml").read_text("utf-8")).policy
    assert policy is not None
    return policy


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/store.db"
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()


@pytest.fixture
def portal(store: Store) -> Iterator[Portal]:
    with serving(example("netlaputa"), store) as made:
        yield made


@pytest.fixture(scope="module")  # playwright keeps an event loop in this thread, and there is room for one
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made
