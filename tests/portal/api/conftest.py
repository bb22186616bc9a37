"""The interface on a port of the loopback, as a process of the service runs it, and clients of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import dns.resolver
import httpx
import pytest

from op25b.portal.api import tokens
from op25b.portal.api.application import application
from op25b.portal.api.guard import Guard
from op25b.portal.api.tokens import Tokens
from op25b.portal.desk.context import Context
from op25b.portal.staff.roles import Role
from op25b.processes import listening
from op25b.store import Store, upgrade
from tests.subscribers.exemptions.conftest import START, policy
from tests.support.databases import postgresql, url
from tests.support.web import Log, running

__all__ = ["postgresql", "url"]


@dataclass
class Portal:
    """A running interface. Its clock stands still."""

    store: Store
    folder: Path
    port: int = 0
    context: Any = None
    tokens: dict[str, str] = field(default_factory=dict)
    logged: list[dict[str, Any]] = field(default_factory=list)
    now: datetime = START

    @property
    def file(self) -> Path:
        return self.folder / "tokens"

    def client(self, who: str | None = None) -> httpx.Client:
        headers = {} if who is None else {"Authorization": f"Bearer {self.tokens[who]}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30)

    def follow(self, terms: dict[str, Any]) -> None:
        self.context.policy = policy(terms)

    def made(self, **given: Any) -> httpx.Response:
        body = {"kind": "subscriber", "subscriber": "taro", "reason": "own server", **given}
        return self.step("clerk", "", body)

    def step(self, who: str, path: str, body: dict[str, Any] | None = None, seen: int | None = None) -> httpx.Response:
        headers = {} if seen is None else {"If-Match": f'"{seen}"'}
        with self.client(who) as client:
            return client.post(f"/exemptions{path}", json=body or {}, headers=headers)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()


@pytest.fixture
def portal(store: Store, tmp_path: Path) -> Iterator[Portal]:
    """With tokens for each role: reader, clerk, hanako and jiro."""
    made = Portal(store, tmp_path)
    for name, role in (
        ("reader", Role.READ), ("clerk", Role.DESK), ("hanako", Role.APPROVER), ("jiro", Role.APPROVER),
    ):  # fmt: skip
        made.tokens[name] = tokens.add(made.file, name, [role], os.urandom)
    log = Log(made.logged)
    resolver = dns.resolver.Resolver(configure=False)
    made.context = Context(store, policy({}), resolver, lambda: made.now, log, lambda: None)
    bound = listening.single(IPv4Address("127.0.0.1"), 0)
    made.port = bound.getsockname()[1]
    with running(application(made.context, Guard(Tokens(made.file), log, lambda: None)), bound):
        yield made
