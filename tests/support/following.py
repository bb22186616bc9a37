"""A router that follows a store: kernel, enforcer and follower, in the present network namespace; and who writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from op25b.store import Store, upgrade
from op25b.store.audit import By
from op25b.subscribers.exemptions.desk import Desk
from op25b.subscribers.exemptions.records import Exemption
from op25b.subscribers.exemptions.request import Asked
from op25b.subscribers.exemptions.transitions import Kind, Step
from op25b.subscribers.leases import Claim, Leases, Merged, Release
from tests.support import enforced
from tests.support.enforced import POOLS, Edge
from tests.support.enforcer import Enforcer

POLICY = enforced.policy("abcd") + "\n[exemption_terms]\noffered = true\n"
"""Everybody is covered, and exemptions are given to everybody who asks."""
PATIENCE = 30.0
_PROGRAM = """
import sys
from pathlib import Path
from op25b.enforcement.follower import job
from op25b.enforcement.follower.metrics import Followed
from op25b.enforcement.settings import Follower
from op25b.processes import logs
from op25b.processes.board import Board
url, enforcer, parent = sys.argv[1:]
settings = Follower(enforcer=Path(enforcer))
job.work(url, settings, Board("op25b_follower", Followed).of(), logs.start("follower"), int(parent))
"""


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what no event tells of."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.002)


def now() -> datetime:
    return datetime.now(UTC)


def prefixes(pool: str) -> tuple[str, str]:
    """What a customer holds from whom tests.support.traffic sends."""
    return f"198.18.{POOLS[pool]}.7/32", f"2001:db8:{POOLS[pool]}::/64"


class Follower:
    """A follower in a process of its own, gone when the block ends."""

    def __init__(self, url: str, enforcer: Path, folder: Path) -> None:
        self._url, self._enforcer, self._file = url, enforcer, folder / "follower.log"

    def __enter__(self) -> Follower:
        self._file.touch()
        self.start()
        return self

    def start(self) -> None:
        """Returns when it is in step; also again, after it was killed."""
        before = self.said("following the store")
        parent, self._alive = os.pipe()
        with self._file.open("a") as log:
            command = [sys.executable, "-c", _PROGRAM, self._url, str(self._enforcer), str(parent)]
            self.process = subprocess.Popen(command, pass_fds=[parent], stderr=log)
        os.close(parent)
        until(lambda: self.said("following the store") > before, "a follower in step")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        with suppress(OSError):
            os.close(self._alive)

    def log(self) -> list[dict[str, Any]]:
        """What it has said so far."""
        return [json.loads(line) for line in self._file.read_text().splitlines() if line.startswith("{")]

    def said(self, event: str) -> int:
        """How often."""
        return sum(line["event"].startswith(event) for line in self.log())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()


class Site:
    """One router and its store; a context manager. Leases and exemptions change as in earnest, by their own code."""

    def __init__(self, edge: Edge, url: str, folder: Path) -> None:
        self.edge, self.url, self._folder = edge, url, folder

    def __enter__(self) -> Site:
        self.edge.apply(POLICY)
        upgrade(self.url)
        self.store = Store(self.url)
        self.desk = Desk(self.store, enforced.loaded(POLICY))
        self.leases = Leases(self.store, timedelta(hours=1))
        self.enforcer = Enforcer()
        self.enforcer.__enter__()
        self.follower = Follower(self.url, self.enforcer.path, self._folder)
        self.follower.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.follower.__exit__(kind, error, at)
        self.enforcer.__exit__(kind, error, at)
        self.store.close()

    def grant(self, kind: Kind, subject: str, lasts: timedelta | None = None) -> Exemption:
        """To a subscriber, or for a prefix or destination."""
        who, prefix = (subject, None) if kind is Kind.SUBSCRIBER else (None, subject)
        until_at = None if lasts is None else now() + lasts
        asked = Asked(kind, who, prefix, "a server of their own", until_at=until_at)
        number = self.desk.request(asked, By("desk", now(), "asked")).id
        self.desk.review(number, By("desk", now(), ""), lambda _: [])
        return self.desk.approve(number, By("desk", now(), ""), {})

    def revoke(self, exemption: Exemption) -> None:
        self.desk.close(exemption.id, Step.REVOKE, By("desk", now(), "no longer"))

    def moves(self, subscriber: str, before: str | None, after: str | None) -> Merged:
        """From the addresses in one pool to those in another, as an access server would tell."""
        at = now()
        facts: list[Claim | Release] = []
        if before is not None:
            facts.append(Release("bng", f"{subscriber}-{before}", subscriber, prefixes(before), at, at))
        if after is not None:
            facts.append(Claim("bng", f"{subscriber}-{after}", subscriber, prefixes(after), at, at))
        return self.leases.merge(facts, at)
