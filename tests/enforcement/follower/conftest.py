"""A store with leases and exemptions, and an enforcer that has no kernel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from op25b.enforcement.members import Delta, Members, normal
from op25b.enforcement.prefix_texts import members, texts
from op25b.enforcement.requests import Code, Refused, State
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
    """Takes what the real one takes. `room`: how many members it has room for; `epoch`: what it says."""

    def __init__(self) -> None:
        self.held = set[str]()
        self.requests = 0
        self.room = 1000
        self.epoch = 1

    def hello(self) -> State:
        return State(self.epoch)

    def change(self, delta: Delta) -> State:
        return self._hold(self.held - written(delta.remove) | written(delta.add))

    def replace(self, wanted: Members) -> State:
        return self._hold(written(wanted))

    def _hold(self, held: set[str]) -> State:
        self.requests += 1
        if any(text.endswith("/8") for text in held):
            raise Refused(Code.TOO_WIDE, "a prefix is wider than /16")
        if len(held) > self.room and len(held) > len(self.held):
            raise Refused(Code.FULL, "more members than there is room for")
        self.held = held
        return State(self.epoch)

    def read(self) -> Members:
        to = {text.removeprefix("->") for text in self.held if text.startswith("->")}
        return {**members(self.held - {f"->{text}" for text in to}), **members(to, destination=True)}


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()
