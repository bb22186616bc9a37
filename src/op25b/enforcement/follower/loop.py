"""When the follower acts: at a notice, at a time, at the end of something's absence; and once a minute on everything.

One thread follows; another compares everything now and then, and a third tells the store how this host stands, so that
neither holds anything up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from datetime import datetime
from threading import Event, Thread

from structlog.typing import FilteringBoundLogger

from op25b.enforcement.enforcer_client import Away, Client
from op25b.enforcement.follower.follower import Follower
from op25b.enforcement.follower.metrics import Followed
from op25b.enforcement.follower.outages import Outage
from op25b.enforcement.follower.present import Forgotten
from op25b.enforcement.follower.publishing import Publisher
from op25b.enforcement.requests import Refused
from op25b.errors import UserError
from op25b.processes.board import Meters
from op25b.store import Store
from op25b.store.awaiting import Commits

RETRY_SECONDS = 0.5
IDLE_SECONDS = 1.0
"""The feed is read so often although nobody tells of anything, and the clock is looked at: it may have been set."""
AUDIT_SECONDS = 60.0
PUBLISH_SECONDS = 30.0
AUDIT_SHARE = 20
"""Comparing everything takes a twentieth of the time at most."""


class Following:
    """A follower at work, in threads of its own from `start` to `close`. `dial` connects to the enforcer.

    Of the store `store`, which stays the caller's. `publisher`: tells the store how this host stands.
    """

    def __init__(
        self,
        store: Store,
        dial: Callable[[], Client],
        now: Callable[[], datetime],
        meters: Meters,
        log: FilteringBoundLogger,
        publisher: Publisher | None = None,
    ) -> None:
        self._follower = Follower(store, now, meters)
        self._store, self._dial, self._now, self._meters, self._log = store, dial, now, meters, log
        self._database = Outage("store", log, lambda away: meters.set(Followed.STORE_AWAY, away))
        self._enforcer = Outage("enforcer", log, lambda away: meters.set(Followed.ENFORCER_AWAY, away))
        self._ending = Event()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._publisher, self._amiss = publisher, 0
        work = (self._follow, self._audit, *((self._publish,) if publisher else ()))
        self._threads = [Thread(target=each, name=each.__name__, daemon=True) for each in work]

    def start(self) -> None:
        """Returns at once: until it is in step, the last ruleset stays in force."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop following; the last ruleset stays in force."""
        self._ending.set()
        self._nudge()
        for thread in self._threads:
            thread.join()
        os.close(self._wake)

    @property
    def in_step(self) -> bool:
        """Whether the live sets hold what the store says."""
        return self._follower.in_step

    def changed(self, prefixes: Iterable[str], subscribers: Iterable[str] = ()) -> bool:
        """As `Follower.changed`; False too when the enforcer or the store turns out to be away. From any thread."""
        try:
            return self._follower.changed(prefixes, subscribers)
        except (Away, Refused, UserError, Forgotten):
            # the thread that follows finds out what is the matter, and says so
            self._nudge()
            return False

    def _nudge(self) -> None:
        os.eventfd_write(self._wake, 1)

    def _follow(self) -> None:
        while not self._ending.is_set():
            try:
                with ExitStack() as opened:
                    commits, enforcer = self._connected(opened)
                    if commits is not None and enforcer is not None:
                        self._keep_up(commits, enforcer)
            except (Away, Refused) as error:
                self._enforcer.failed(error)
            except UserError as error:
                self._database.failed(error)
            except Exception as error:
                self._log.error("a fault of this program; reading everything anew", exc_info=error)
            self._follower.lose()
            self._meters.set(Followed.IN_STEP, 0)
            self._ending.wait(RETRY_SECONDS)

    def _connected(self, opened: ExitStack) -> tuple[Commits | None, Client | None]:
        """Both are tried: each that is away is to be said."""
        commits = enforcer = None
        try:
            commits = opened.enter_context(Commits(self._store))
            self._database.over()
        except UserError as error:
            self._database.failed(error)
        try:
            enforcer = opened.enter_context(self._dial())
            if not enforcer.state.sizes:
                raise Away("the ruleset in force has no live sets; apply a policy whose exempt_size is not 0")
        except (Away, Refused) as error:
            self._enforcer.failed(error)
            enforcer = None
        return commits, enforcer

    def _keep_up(self, commits: Commits, enforcer: Client) -> None:
        """Follow, until it is to end or `changed` has met with something that is away."""
        self._begin(enforcer)
        asked = time.monotonic()
        while not self._ending.is_set():
            try:
                self._follower.catch_up()
                if time.monotonic() - asked >= IDLE_SECONDS:
                    asked = time.monotonic()
                    self._follower.ask()
            except Forgotten:
                self._begin(enforcer)
            if not self._follower.in_step:
                return
            commits.wait(self._idle(), (self._wake, enforcer.fileno()))
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            if enforcer.has_gone:
                raise Away("the enforcer has closed the connection")

    def _begin(self, enforcer: Client) -> None:
        began = time.monotonic()
        done = self._follower.begin(enforcer)
        self._enforcer.over()
        self._meters.set(Followed.IN_STEP, 1)
        self._log.info(
            "following the store",
            members=self._meters.get(Followed.MEMBERS),
            missing=done.state.missing,
            extra=done.state.extra,
            seconds=round(time.monotonic() - began, 3),
        )
        if done.refused:
            self._log.error(
                "prefixes are exempt for which the filter has no room, or which are too wide for it; "
                "raise exempt_size in the policy and apply it, or end those exemptions",
                prefixes=done.refused,
            )

    def _idle(self) -> float:
        moment = self._follower.next_moment()
        return IDLE_SECONDS if moment is None else min(IDLE_SECONDS, (moment - self._now()).total_seconds())

    def _audit(self) -> None:
        pause = AUDIT_SECONDS
        while not self._ending.wait(pause):
            if not self._follower.in_step:
                continue
            began = time.monotonic()
            # what is away is the other thread's to say
            with suppress(Away, Refused, UserError), self._dial() as enforcer:
                self._amiss = amiss = self._follower.audit(enforcer)
                if amiss:
                    self._log.error("the live sets are not as they should be; reading everything anew", members=amiss)
                    self._follower.lose()
                    self._nudge()
            pause = max(AUDIT_SECONDS, AUDIT_SHARE * (time.monotonic() - began))

    def _publish(self) -> None:
        assert self._publisher is not None
        while not self._ending.is_set():
            # what is away is the other thread's to say; the console sees that nothing comes
            with suppress(Away, Refused, UserError), self._dial() as enforcer:
                self._publisher.publish(enforcer, self._follower.in_step, self._amiss)
            self._ending.wait(PUBLISH_SECONDS)
