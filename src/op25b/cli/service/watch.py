"""The watch on a router: the log and the counters come by way of the enforcer."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from op25b.cli.service import part
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.enforcement.enforcer_client import Away, Client
from op25b.enforcement.requests import Attempts, Refused
from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.watch import job
from op25b.watch.activity import Source
from op25b.watch.following import Counted
from op25b.watch.settings import Watching

T = TypeVar("T")


def made(present: Present, table: Watching) -> Part:
    """Nothing runs yet."""
    board = job.board()

    def run(parent: int) -> None:
        config, policy = present.config, present.policy
        kernel = ByEnforcer(table.enforcer, policy)
        job.work(kernel, config.store, policy, lambda: present.reread()[1], table.look_seconds, board, parent)

    return Part([part.job("watch", run, board)], [job.shown(board)])


class ByEnforcer:
    """What the kernel has for the watch; a connection for each question, as they are seldom."""

    def __init__(self, path: Path, policy: Policy) -> None:
        self._path, self._group = path, policy.filter.log_group

    def log(self) -> socket.socket | None:
        group = self._group
        return None if group is None else self._asked(lambda enforcer: enforcer.nflog(group))

    def seen(self) -> Counted:
        return {name: packets(attempts) for name, attempts in self._asked(Client.seen).items()}

    def kept(self) -> None:
        self._asked(Client.seen_kept)

    def _asked(self, what: Callable[[Client], T]) -> T:
        try:
            with Client(self._path) as enforcer:
                return what(enforcer)
        except (Away, Refused) as error:
            raise UserError(str(error)) from None


def packets(attempts: Attempts) -> dict[Source, int]:
    """By source as the watch has it: an IPv4 address, or the upper half of an IPv6 one."""
    width = min(attempts.sources.shape[1], 8)
    sources = np.ascontiguousarray(attempts.sources[:, :width]).view(f">u{width}").ravel()
    return dict(zip(sources.tolist(), attempts.packets.tolist(), strict=True))
