"""The enforcer: the only process that keeps a privilege."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable

from op25b.cli.service import part
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.enforcement import enforcer, settings
from op25b.enforcement.enforcer_metrics import Enforced
from op25b.errors import UserError
from op25b.processes import listening, logs, privilege
from op25b.processes.board import Board
from op25b.processes.privilege import Capability


def board() -> Board:
    """Its numbers."""
    return Board("op25b_enforcer", Enforced)


def made(present: Present, table: settings.Enforcer) -> Part:
    """The socket is made, nothing runs yet. Raises UserError and Missing for what cannot be had."""
    privilege.require(Capability.NET_ADMIN, "the enforcer")
    whom = privilege.identity(present.config.user)
    group = table.group or grp.getgrgid(whom.gid if whom else os.getegid()).gr_name
    uids = _uids(table.users) or {whom.uid if whom else os.geteuid()}
    serving = enforcer.Settings(frozenset(uids), table.widest4, table.widest6)
    listener, numbers = listening.unix(table.socket, group, "enforcer.group"), board()

    def run(parent: int) -> None:
        enforcer.work(listener, serving, numbers.of(), logs.start("enforcer"), parent)

    return Part(
        [part.job("enforcer", run, numbers, [listener], [Capability.NET_ADMIN], outlives=True)],
        [part.shown("enforcer", numbers)],
        stopped=lambda: table.socket.unlink(missing_ok=True),
    )


def _uids(users: Iterable[str]) -> set[int]:
    found = set()
    for user in users:
        try:
            found.add(pwd.getpwnam(user).pw_uid)
        except KeyError:
            raise UserError(f"enforcer.users: this host has no user {user!r}; write one that it has") from None
    return found
