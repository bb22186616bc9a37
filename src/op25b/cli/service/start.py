"""From a configuration file to a running service; everything that can be wrong is found before anything is served."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Literal

from op25b.cli.service.config import Health
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.errors import UserError
from op25b.processes import health, listening, logs, privilege
from op25b.processes.notify import Notifier
from op25b.processes.supervisor import Job, Supervisor

Only = Literal["submission", "relay", "postfix", "leases", "enforcer", "follower", "watch", "api", "portal", "console"]


def serve(path: Path, only: Only | None = None) -> int:
    """Serve until told to stop; the exit status. Raises UserError and Missing for what keeps it from starting."""
    present = Present(path)
    whom = privilege.identity(present.config.user)
    parts = _parts(present, only)
    log = logs.start("supervisor")

    def check() -> None:
        for part in parts:
            part.check(present.config, present.policy)

    def warn() -> None:
        for part in parts:
            part.warn(present.config, present.policy, log)

    def reload() -> None:
        before = present.config, present.policy
        present.config, present.policy = present.reread()
        try:
            privilege.tried(check, whom)
        except BaseException:
            present.config, present.policy = before
            raise
        warn()

    def stopping() -> None:
        for part in parts:
            part.stopping()

    def stopped() -> None:
        for part in parts:
            part.stopped()

    try:
        privilege.tried(check, whom)
    except BaseException:
        stopping()
        stopped()
        raise
    warn()
    return Supervisor(
        jobs=[job for part in parts for job in part.jobs] + _health(present.config.health, parts, only),
        log=log,
        notifier=Notifier(os.environ),
        check_reload=reload,
        stopping=stopping,
        drain_seconds=max(part.drain_seconds for part in parts),
        stopped=stopped,
        whom=whom,
    ).run()


def _parts(present: Present, only: Only | None) -> list[Part]:
    """Those that are configured, or the one that is asked for. No other is imported: a mail server needs no pages."""
    config, parts = present.config, list[Part]()
    # the enforcer first: whoever asks it finds it there
    if config.enforcer is not None and only in (None, "enforcer"):
        from op25b.cli.service import enforcer

        parts.append(enforcer.made(present, config.enforcer))
    if config.mail is not None and only in (None, "submission", "postfix"):
        from op25b.cli.service import mail

        parts.append(mail.made(present, only))
    if config.mail is not None and only == "relay":
        from op25b.cli.service import mail

        parts.append(mail.relay_alone(present))
    if config.leases is not None and only in (None, "leases"):
        from op25b.cli.service import leases

        parts.append(leases.made(present, config.leases, config.follower if only is None else None))
    if config.follower is not None and (only == "follower" or (only is None and config.leases is None)):
        from op25b.cli.service import follower

        parts.append(follower.made(present, config.follower))
    if config.watch is not None and only in (None, "watch"):
        from op25b.cli.service import watch

        parts.append(watch.made(present, config.watch))
    if config.api is not None and only in (None, "api"):
        from op25b.cli.service import api

        parts.append(api.made(present, config.api))
    if config.portal is not None and only in (None, "portal"):
        from op25b.cli.service import portal

        parts.append(portal.made(present, config.portal))
    if config.console is not None and only in (None, "console"):
        from op25b.cli.service import console

        parts.append(console.made(present, config.console))
    if only is None and any((config.leases, config.api, config.portal, config.console)):
        from op25b.cli.service import upkeep

        parts.append(upkeep.made(present))
    if not parts:
        raise UserError(f"{present.path}: there is no [{only}] to serve; write it, or leave out --only")
    return parts


def _health(config: Health, parts: list[Part], only: Only | None) -> list[Job]:
    port = config.relay_port if only == "relay" else config.port
    if port is None:
        return []
    watched = listening.single(config.address, port)
    return [Job("health", partial(health.serve, watched, [each for part in parts for each in part.shown]), [watched])]
