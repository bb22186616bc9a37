"""The staff's pages: they read and write the store, read the spool, and have no socket to the enforcer."""

from __future__ import annotations

from op25b.cli.service import part
from op25b.cli.service.config import Config
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.policy.model import Policy
from op25b.portal.console import job
from op25b.portal.console.config import Console
from op25b.processes import listening


def made(present: Present, settings: Console) -> Part:
    """The socket is made, nothing runs yet. Raises UserError and Missing for what cannot be had."""
    bound, numbers = listening.single(settings.address, settings.port), job.board()
    config, lasting = present.config, job.Lasting.made()
    spool = config.submission.spool if config.submission is not None else None

    def run(parent: int) -> None:
        def reread() -> Policy:
            return present.reread()[1]

        job.work(bound, settings, config.store, present.policy, spool, reread, lasting, numbers.of(), parent)

    def check(config: Config, policy: Policy) -> None:
        job.check(settings)
        part.store_is_current(config, policy)

    return Part([part.job("console", run, numbers, [bound])], [part.shown("console", numbers)], check=check)
