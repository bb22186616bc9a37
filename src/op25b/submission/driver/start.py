"""From a configuration file to a running service; everything that can be wrong is found before anything is served."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from socket import socket
from typing import Literal

from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.store import Store
from op25b.store.schema import require_current
from op25b.submission import config as configuration
from op25b.submission.config import Config, Listen, Postfix
from op25b.submission.driver import health, listening, logs, relaying
from op25b.submission.driver.ledger import Ledger
from op25b.submission.driver.metrics import Board, Metric
from op25b.submission.driver.notify import Notifier
from op25b.submission.driver.rights import RecentPop
from op25b.submission.driver.server import Shared, work
from op25b.submission.driver.service import certificates
from op25b.submission.driver.workers import Job, Supervisor
from op25b.submission.postfix import job as postfix_job
from op25b.submission.postfix import sockets

STUCK_SECONDS = 60


def serve(path: Path, recent_pop: RecentPop, only: Literal["submission", "postfix"] | None = None) -> int:
    """Serve until told to stop; the exit status. Raises UserError and Missing for what keeps it from starting.

    Without the relay (`only` submission) what is taken stays in the spool, for a relay elsewhere.
    """
    config, policy = read(path)
    listens, postfix = _parts(path, config, only)
    _check(config, bool(listens))
    submission = config.submission
    count = (submission.workers or os.cpu_count() or 1) if listens else 0
    board = Board(count + bool(postfix))
    reread = partial(_reread, path, config)
    shared = Shared(Ledger(board.workers), board, reread, recent_pop)
    ports = [(listen, listening.sockets(listen.address, listen.port, count)) for listen in listens]
    watched = listening.single(config.health.address, config.health.port)
    asked = sockets.opened(postfix) if postfix else {}
    log = logs.start("supervisor")

    def keep(*wanted: socket) -> None:
        for each in (*(one for _, made in ports for one in made), watched, *asked.values()):
            if each not in wanted:
                each.close()

    def worker(number: int, parent: int) -> None:
        keep(*(made[number] for _, made in ports))
        work(number, [(listen, made[number]) for listen, made in ports], config, policy, shared, parent)

    def monitor(parent: int) -> None:
        keep(watched)
        health.serve(watched, board, parent)

    def relay(parent: int) -> None:
        keep()
        relaying.work(config, parent)

    def answers(parent: int) -> None:
        keep(*asked.values())
        postfix_job.work(count, asked, config, policy, shared, parent)

    def stopping() -> None:
        keep()
        if postfix:
            sockets.removed(postfix)

    jobs = [_job(f"submission-{number}", number, shared, partial(worker, number)) for number in range(count)]
    if postfix:
        jobs.append(_job("postfix", count, shared, answers))
    if listens and only is None:
        jobs.append(Job("relay", relay))
    supervisor = Supervisor(
        jobs=[*jobs, Job("health", monitor)],
        log=log,
        notifier=Notifier(os.environ),
        check_reload=lambda: _check(reread()[0], bool(listens)),
        stopping=stopping,
        drain_seconds=submission.drain_seconds,
    )
    return supervisor.run()


def relay_alone(path: Path) -> int:
    """Hand on what is in the spool until told to stop; the exit status. Raises like `serve`."""
    config, _ = read(path)
    relaying.read(config.relay, config.submission)
    return Supervisor(
        jobs=[Job("relay", partial(relaying.work, config))],
        log=logs.start("supervisor"),
        notifier=Notifier(os.environ),
        check_reload=lambda: None,
        stopping=lambda: None,
        drain_seconds=relaying.GRACE_SECONDS,
    ).run()


def read(path: Path) -> tuple[Config, Policy]:
    """The configuration and its policy, checked against each other. Raises UserError with every fault."""
    config = configuration.load(path)
    policy = configuration.policy_of(config)
    if all(server.name != config.submission.server for server in policy.own_servers):
        known = ", ".join(server.name for server in policy.own_servers) or "none"
        raise UserError(
            f"{path}: submission.server: {config.policy} has no own server {config.submission.server!r}; "
            f"write one of: {known}"
        )
    return config, policy


def _parts(path: Path, config: Config, only: str | None) -> tuple[tuple[Listen, ...], Postfix | None]:
    """What is to run. Raises UserError if that is nothing."""
    if only == "submission" and not config.submission.listen:
        raise UserError(f"{path}: there is no [[submission.listen]] to serve; write one, or leave out --only")
    if only == "postfix" and config.postfix is None:
        raise UserError(f"{path}: there is no [postfix] to serve; write it, or leave out --only")
    listens = () if only == "postfix" else config.submission.listen
    return listens, None if only == "submission" else config.postfix


def _reread(path: Path, before: Config) -> tuple[Config, Policy]:
    config, policy = read(path)
    for name in ("listen", "workers", "spool"):
        if getattr(config.submission, name) != getattr(before.submission, name):
            raise UserError(f"{path}: submission.{name} changes at a restart only; put it back, or restart the service")
    for name in ("store", "health", "relay", "postfix"):
        if getattr(config, name) != getattr(before, name):
            raise UserError(f"{path}: {name} changes at a restart only; put it back, or restart the service")
    return config, policy


def _check(config: Config, takes_mail: bool) -> None:
    """What a process would fail over. Without `takes_mail`, certificates and mail are Postfix's business."""
    if takes_mail:
        certificates(config)
        relaying.read(config.relay, config.submission)
        spool = config.submission.spool
        folder = spool if spool.exists() else spool.parent
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK) or not folder.is_dir():
            raise UserError(
                f"spool {spool}: not a folder that this user can write to; `chown` it to the service's user"
            )
    store = Store(config.store)
    try:
        require_current(store)
    finally:
        store.close()


def _job(name: str, number: int, shared: Shared, run: Callable[[int], None]) -> Job:
    meters = shared.board.of(number)

    def stuck() -> bool:
        return bool(meters.get(Metric.READY)) and time.monotonic() - meters.get(Metric.ALIVE) > STUCK_SECONDS

    def buried() -> None:
        shared.board.forget(number)
        shared.ledger.forget(number)

    return Job(name, run, lambda: bool(meters.get(Metric.READY)), stuck, buried)
