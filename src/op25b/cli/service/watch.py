"""The watch on a router: the log and the counters come by way of the enforcer."""

from __future__ import annotations

import socket
from pathlib import Path

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


def made(present: Present, table: Watching) -> Part:
    """Nothing runs yet."""
    board = job.board()

    def run(parent: int) -> None:
        config, policy = present.config, present.policy
        kernel = ByEnforcer(table.enforcer, policy)
        job.work(kernel, config.store, policy, lambda: present.reread()[1], board, parent)

    return Part([part.job("watch", run, board)], [job.shown(board)])


class ByEnforcer:
    """What the kernel has for the watch; a connection for each question, as they are seldom."""

    def __init__(self, path: Path, policy: Policy) -> None:
        self._path, self._group = path, policy.filter.log_group

    def log(self) -> socket.socket | None:
        if self._group is None:
            return None
        try:
            with Client(self._path) as enforcer:
                return enforcer.nflog(self._group)
        except (Away, Refused) as error:
            raise UserError(str(error)) from None

    def seen(self) -> Counted:
        try:
            with Client(self._path) as enforcer:
                found = {name: packets(attempts) for name, attempts in enforcer.seen().items()}
                enforcer.seen_kept()
        except (Away, Refused) as error:
            raise UserError(str(error)) from None
        return found


def packets(attempts: Attempts) -> dict[Source, int]:
    """By source as the watch has it: an IPv4 address, or the upper half of an IPv6 one."""
    width = min(attempts.sources.shape[1], 8)
    sources = np.ascontiguousarray(attempts.sources[:, :width]).view(f">u{width}").ravel()
    return dict(zip(sources.tolist(), attempts.packets.tolist(), strict=True))
