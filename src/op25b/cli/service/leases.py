"""The lease server: accounting reports into the store, and at once to the filter where this host has one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta

from op25b.cli.service import follower, part
from op25b.cli.service.config import Config
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.enforcement.settings import Follower
from op25b.policy.model import Policy
from op25b.processes.board import Board
from op25b.processes.health import Shown
from op25b.store import Store
from op25b.subscribers.accounting import job
from op25b.subscribers.accounting.config import LeaseServer
from op25b.subscribers.accounting.numbers import Counted
from op25b.subscribers.leases import Fact, Held, Leases, Merged, under_way


def board() -> Board:
    """Its numbers."""
    return Board("op25b_leases", Counted)


def made(present: Present, settings: LeaseServer, follows: Follower | None) -> Part:
    """The sockets are made, nothing runs yet. Raises UserError and Missing for what cannot be had.

    `follows`: what is to be told of each change before it is acknowledged; None: nothing on this host.
    """
    sockets, numbers, followed = job.Sockets.of(settings), board(), follower.board()

    def run(parent: int) -> None:
        merging = _Merging(present)
        told = follower.within(merging.store, follows, followed) if follows else nullcontext(_nobody)
        with told as after:
            behind = job.Behind(merging.merge, merging.store.sync, after, merging.known, merging.reread)
            job.work(sockets, settings, behind, numbers.of(), parent)

    def check(config: Config, policy: Policy) -> None:
        assert config.leases is not None
        job.secrets(config.leases)
        part.store_is_current(config, policy)

    shown = [part.shown("leases", numbers)]
    if follows:
        shown.append(Shown(followed.families, lambda _: {}))
    return Part([part.job("leases", run, numbers, sockets.all())], shown, check=check)


def _nobody(_: Merged) -> None:
    pass


class _Merging:
    """Leases by the policy that was read last."""

    def __init__(self, present: Present) -> None:
        self._present, self.store = present, Store(present.config.store)
        self._leases = self._of(present.policy)

    def _of(self, policy: Policy) -> Leases:
        hours = policy.leases.expire_hours
        return Leases(self.store, timedelta(hours=hours) if hours else None)

    def merge(self, facts: Sequence[Fact], now: datetime) -> Merged:
        return self._leases.merge(facts, now, synced=False)

    def known(self, source: str) -> dict[str, Held]:
        with self.store.read() as connection:
            return under_way(connection, source)

    def reread(self) -> LeaseServer:
        config, policy = self._present.reread()
        self._leases = self._of(policy)
        assert config.leases is not None, "it is there until a restart"
        return config.leases
