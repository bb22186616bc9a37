"""A store with leases and exemptions, and an enforcer that has no kernel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from op25b.enforcement.members import Delta, Members, normal
from op25b.enforcement.prefix_texts import members, texts
from op25b.store import Store, upgrade
from tests.subscribers.exemptions.conftest import confine, put
from tests.support.databases import postgresql, url

__all__ = ["confine", "postgresql", "put", "url"]
START = datetime.fromisoformat("2026-04-01T00:00:00+00:00")
EXPIRE = timedelta(minutes=30)


def written(found: Members) -> set[str]:
    """Members as texts, those of destinations with `->`."""
    return {
        ("->" if kind.destination else "") + text for kind, rows in normal(found).items() for text in texts(kind, rows)
    }


class FakeEnforcer:
    """Takes what the real one takes, and refuses what the kernel would."""

    def __init__(self) -> None:
        self.held = set[str]()
        self.requests = 0

    def change(self, delta: Delta) -> None:
        self.requests += 1
        self.held = self.held - written(delta.remove) | written(delta.add)

    def replace(self, wanted: Members) -> None:
        self.requests += 1
        self.held = written(wanted)

    def read(self) -> Members:
        to = {text.removeprefix("->") for text in self.held if text.startswith("->")}
        return {**members(self.held - {f"->{text}" for text in to}), **members(to, destination=True)}


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()
