"""The customers' pages: they read and write the store, and have no socket to the enforcer."""

from __future__ import annotations

import os

from op25b.cli.service import part
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.policy.model import Policy
from op25b.portal.public import job
from op25b.portal.public.config import Portal
from op25b.processes import listening
from op25b.submission.config import SPOOL


def made(present: Present, settings: Portal) -> Part:
    """The sockets are made, nothing runs yet. Raises UserError and Missing for what cannot be had."""
    bound = [listening.single(address, settings.port) for address in settings.addresses]
    numbers, key = job.board(), os.urandom(32)

    def run(parent: int) -> None:
        def reread() -> Policy:
            return present.reread()[1]

        config = present.config
        spool = SPOOL if config.submission is None else config.submission.spool
        job.work(bound, settings, config.store, present.policy, reread, key, spool, numbers.of(), parent)

    shown = [part.shown("portal", numbers)]
    return Part([part.job("portal", run, numbers, bound)], shown, check=part.store_is_current)
