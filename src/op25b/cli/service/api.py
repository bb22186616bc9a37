"""The HTTP interface to exemptions."""

from __future__ import annotations

from op25b.cli.service import part
from op25b.cli.service.config import Config
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.policy.model import Policy
from op25b.portal import job, tokens
from op25b.portal.config import Api
from op25b.processes import listening


def made(present: Present, table: Api) -> Part:
    """The socket is made, nothing runs yet. Raises UserError and Missing for what cannot be had."""
    listener, board = listening.single(table.address, table.port), job.board()

    def run(parent: int) -> None:
        config, policy = present.config, present.policy
        job.work(listener, table.tokens_file, config.store, policy, lambda: present.reread()[1], board.of(), parent)

    def check(config: Config, policy: Policy) -> None:
        tokens.read(table.tokens_file)
        part.store_is_current(config, policy)

    return Part([part.job("api", run, board, [listener])], [job.shown(board)], check=check)
