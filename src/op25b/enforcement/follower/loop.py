"""When the follower acts: at a notice, at a time, at the end of something's absence; and once a minute on everything.

Two threads: one that follows, and one that compares everything now and then, so that this holds nothing up.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime
from threading import Event, Thread
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from op25b.enforcement.client import Away, Client
from op25b.enforcement.follower.follower import Follower
from op25b.enforcement.follower.outages import Outage
from op25b.enforcement.follower.present import Forgotten, Present
from op25b.errors import UserError
from op25b.store import Store
from op25b.store.awaiting import Commits

RETRY_SECONDS = 0.5
IDLE_SECONDS = 1.0
"""The feed is read so often although nobody tells of anything, and the clock is looked at: it may have been set."""
AUDIT_SECONDS = 60.0
AUDIT_SHARE = 20
"""Comparing everything takes a twentieth of the time at most."""

T = TypeVar("T")


class Following:
    """A follower at work in threads of its own, from `start` to `close`. `dial` connects to the enforcer."""

    def __init__(
        self, store: Store, dial: Callable[[], Client], now: Callable[[], datetime], log: FilteringBoundLogger
    ) -> None:
        self.follower = Follower(Present(store), now)
        self._store, self._dial, self._now, self._log = store, dial, now, log
        self._outages = {what: Outage(what, log) for what in ("store", "enforcer")}
        self._ends = Event()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._threads = [
            Thread(target=self._follow, name="follower", daemon=True),
            Thread(target=self._audit, name="follower-audit", daemon=True),
        ]

    def start(self) -> None:
        """Returns at once; `follower.in_step` says when what is in the kernel is what the store says."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop following; the last ruleset stays in force."""
        self._ends.set()
        self._nudge()
        for thread in self._threads:
            thread.join()
        os.close(self._wake)

    def changed(self, prefixes: Iterable[str], subscribers: Iterable[str] = ()) -> bool:
        """As `Follower.changed`; False too when the enforcer or the store turns out to be away. From any thread."""
        try:
            return self.follower.changed(prefixes, subscribers)
        except (Away, UserError):
            # the thread that follows finds out what is away, and says so
            self._nudge()
            return False

    def _nudge(self) -> None:
        os.eventfd_write(self._wake, 1)

    def _follow(self) -> None:
        while not self._ends.is_set():
            with ExitStack() as opened:
                commits = self._tried("store", lambda: opened.enter_context(Commits(self._store)))
                enforcer = self._tried("enforcer", lambda: opened.enter_context(self._dial()))
                if commits is not None and enforcer is not None:
                    self._tried_both(lambda: self._keep_up(commits, enforcer))
                self.follower.lose()
            self._ends.wait(RETRY_SECONDS)

    def _keep_up(self, commits: Commits, enforcer: Client) -> None:
        """Returns when everything has to be read anew."""
        began = time.monotonic()
        repaired = self.follower.begin(enforcer)
        self._log.info(
            "following", members=self.follower.members, seconds=round(time.monotonic() - began, 3), repaired=repaired
        )
        for outage in self._outages.values():
            outage.over(time.monotonic())
        while not self._ends.is_set() and self.follower.in_step:
            try:
                self.follower.catch_up()
            except Forgotten:
                return
            commits.wait(self._idle(), (self._wake, enforcer.fileno()))
            self._drain(enforcer)

    def _idle(self) -> float:
        moment = self.follower.next_moment()
        return IDLE_SECONDS if moment is None else min(IDLE_SECONDS, (moment - self._now()).total_seconds())
