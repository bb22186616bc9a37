"""The operators' HTTP interface: it has the store and the spool, and no socket to the enforcer."""

from __future__ import annotations

from op25b.cli.service import part
from op25b.cli.service.config import Config
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.policy.model import Policy
from op25b.portal.api import job, tokens
from op25b.portal.api.config import Api
from op25b.processes import listening


def made(present: Present, settings: Api) -> Part:
    """The socket is made, nothing runs yet. Raises UserError and Missing for what cannot be had."""
    bound, numbers = listening.single(settings.address, settings.port), job.board()

    def run(parent: int) -> None:
        def reread() -> Policy:
            return present.reread()[1]

        config = present.config
        spool = config.submission.spool if config.submission is not None else None
        job.work(bound, settings.tokens_file, config.store, spool, present.policy, reread, numbers.of(), parent)

    def check(config: Config, policy: Policy) -> None:
        tokens.read(settings.tokens_file)
        part.store_is_current(config, policy)

    return Part([part.job("api", run, numbers, [bound])], [part.shown("api", numbers)], check=check)
