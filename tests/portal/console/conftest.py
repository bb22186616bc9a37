"""The console on a port of the loopback, filled with what a provider's day leaves, and people who use it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import dns.resolver
import httpx
import pytest
from playwright.sync_api import Browser

from op25b.policy.load import load
from op25b.policy.model import Policy
from op25b.policy.terms import ExemptionTerms
from op25b.portal.console.application import application
from op25b.portal.console.config import Console as Settings
from op25b.portal.console.context import Context
from op25b.portal.desk.context import Context as Desks
from op25b.portal.staff.login import LIMITS, Logins
from op25b.portal.staff.openid import Provider
from op25b.portal.staff.roles import STAFF
from op25b.portal.web.serving import Latest
from op25b.processes import listening
from op25b.store import Store, upgrade
from op25b.subscribers.lockout import Lockout
from tests.support import staff
from tests.support.browser import chromium
from tests.support.desk import fill
from tests.support.examples import FOLDER
from tests.support.staff import NOW, PASSWORD, Hired, hire
from tests.support.web import Log, running

_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')
_VERSION = re.compile(r'name="version" value="(\d+)"')


@dataclass
class Console:
    """A running console. Its clock stands still unless a test moves it."""

    store: Store
    folder: Path
    policy: Policy
    port: int = 0
    now: datetime = NOW
    spool: Path | None = None
    openid: Provider | None = None
    people: dict[str, Hired] = field(default_factory=dict)
    logged: list[dict[str, Any]] = field(default_factory=list)
    counted: list[Any] = field(default_factory=list)
    latest: Latest = field(default_factory=lambda: Latest(None))  # type: ignore[arg-type]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def context(self) -> Context:
        resolver = dns.resolver.Resolver(configure=False)
        log = Log(self.logged)
        desks = Desks(self.store, self.policy, resolver, lambda: self.now, log, lambda: None, self.spool)
        logins = Logins(
            self.store, staff.key(self.folder), staff.hasher(), Lockout(LIMITS), lambda: self.now.timestamp(),
            lambda: self.now, staff.counted,
        )  # fmt: skip
        settings = Settings.model_validate({"url": self.url, "key_file": str(self.folder / "console-key")})
        return Context(desks, settings, logins, self.openid, bytes(32), staff.counted, self.counted.append)

    def follow(self) -> None:
        """As at a reload."""
        self.latest.app = application(self.context())

    def client(self, language: str = "en") -> httpx.Client:
        headers = {"Accept-Language": language}
        return httpx.Client(base_url=self.url, timeout=30, headers=headers)

    def at(self, name: str) -> Visitor:
        """Somebody who has logged in. A code is good once, so that time goes on."""
        self.now += timedelta(seconds=30)
        visitor = Visitor(self.client())
        code = self.people[name].code(self.now)
        answer = visitor.post("/en/log-in", {"name": name, "password": PASSWORD, "code": code})
        assert answer.status_code == 303, answer.text
        return visitor


@dataclass
class Visitor:
    """A browser without a screen."""

    client: httpx.Client

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def post(self, path: str, fields: dict[str, str] | None = None, page: str = "/en/log-in") -> httpx.Response:
        """A form, with the token of a page that has one."""
        return self.client.post(path, data={"form_token": self.token(page), **(fields or {})})

    def token(self, page: str) -> str:
        found = _TOKEN.search(self.client.get(page).text)
        assert found is not None, page
        return found[1]

    def step(self, number: int, step: str, **fields: str) -> httpx.Response:
        """A step with an exemption, as its page has it."""
        page = self.client.get(f"/en/exemptions/{number}").text
        version = _VERSION.search(page)
        given = {"version": version[1] if version else "0", **fields}
        return self.post(f"/en/exemptions/{number}/{step}", given)


@pytest.fixture(scope="module")
def policy() -> Policy:
    found = load((FOLDER / "netlaputa.toml").read_text("utf-8")).policy
    assert found is not None
    terms = ExemptionTerms(offered=True, second_person_above=16)
    return found.model_copy(update={"exemption_terms": terms})


@contextmanager
def serving(console: Console) -> Iterator[Console]:
    bound = listening.single(IPv4Address("127.0.0.1"), 0)
    console.port = bound.getsockname()[1]
    console.follow()
    with running(console.latest, bound):
        yield console


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, a spool and a key, for tests to copy."""
    folder = tmp_path_factory.mktemp("console")
    url = f"sqlite:///{folder}/store.db"
    upgrade(url)
    store = Store(url)
    fill(store, folder / "spool", NOW)
    for role in STAFF:
        hire(store, staff.key(folder), role.value, role)
    store.close()
    return folder


@pytest.fixture
def console(filled: Path, tmp_path: Path, policy: Policy) -> Iterator[Console]:
    """With one of the staff for each role, called as it is."""
    folder = shutil.copytree(filled, tmp_path / "console")
    store = Store(f"sqlite:///{folder}/store.db")
    made = Console(store, folder, policy, spool=folder / "spool")
    made.people = {role.value: Hired(role.value) for role in STAFF}
    with serving(made) as running_:
        yield running_
    store.close()


@pytest.fixture(scope="module")  # playwright keeps an event loop in this thread, and there is room for one
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made
