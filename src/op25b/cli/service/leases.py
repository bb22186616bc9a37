"""The lease server: accounting reports into the store, and at once to the filter where this host has one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from op25b.cli.service import part
from op25b.cli.service.config import Config
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.policy.model import Policy
from op25b.processes.board import Board
from op25b.store import Store
from op25b.subscribers.accounting import job
from op25b.subscribers.accounting.config import LeaseServer
from op25b.subscribers.accounting.numbers import Counted
from op25b.subscribers.leases import Fact, Leases, Merged


def board() -> Board:
    """Its numbers."""
    return Board("op25b_leases", Counted)


def made(present: Present, settings: LeaseServer) -> Part:
    """The sockets are made, nothing runs yet. Raises UserError and Missing for what cannot be had."""
    sockets, numbers = job.Sockets.of(settings), board()

    def run(parent: int) -> None:
        merging = _Merging(present)
        job.work(sockets, settings, merging.reread, merging.merge, lambda _: None, numbers.of(), parent)

    def check(config: Config, policy: Policy) -> None:
        assert config.leases is not None
        job.secrets(config.leases)
        part.store_is_current(config, policy)

    return Part([part.job("leases", run, numbers, sockets.all())], [part.shown("leases", numbers)], check=check)


class _Merging:
    """Leases by the policy that was read last."""

    def __init__(self, present: Present) -> None:
        self._present, self._store = present, Store(present.config.store)
        self._leases = self._of(present.policy)

    def _of(self, policy: Policy) -> Leases:
        hours = policy.leases.expire_hours
        return Leases(self._store, timedelta(hours=hours) if hours else None)

    def merge(self, facts: Sequence[Fact], now: datetime) -> Merged:
        return self._leases.merge(facts, now)

    def reread(self) -> LeaseServer:
        config, policy = self._present.reread()
        self._leases = self._of(policy)
        assert config.leases is not None, "it is there until a restart"
        return config.leases
