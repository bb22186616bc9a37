"""From a configuration file to a running service; everything that can be wrong is found before anything is served."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from socket import socket
from typing import Literal

from structlog.typing import FilteringBoundLogger

from op25b.errors import UserError
from op25b.policy.model import Policy, PopBeforeSmtp
from op25b.store import Store
from op25b.store.schema import require_current
from op25b.submission import config as configuration
from op25b.submission.config import Config, Listen, Postfix
from op25b.submission.driver import health, listening, logs, pop_reports, relay_metrics, relaying
from op25b.submission.driver.ledger import Ledger
from op25b.submission.driver.limits import Rejections
from op25b.submission.driver.metrics import Board, Metric
from op25b.submission.driver.notify import Notifier
from op25b.submission.driver.pop_table import PopTable
from op25b.submission.driver.relay_metrics import Cell, RelayBoard
from op25b.submission.driver.server import Shared, work
from op25b.submission.driver.service import certificates
from op25b.submission.driver.workers import Job, Supervisor
from op25b.submission.postfix import job as postfix_job
from op25b.submission.postfix import sockets as postfix_sockets
from op25b.submission.trace import Trace
from op25b.subscribers.lockout import Limits, Lockout
from op25b.subscribers.login_cache import KEY_OCTETS, LoginCache

STUCK_SECONDS = 60


def serve(path: Path, only: Literal["submission", "postfix"] | None = None) -> int:
    """Serve until told to stop; the exit status. Raises UserError and Missing for what keeps it from starting.

    Without the relay (`only` submission) what is taken stays in the spool, for a relay elsewhere.
    """
    config, policy = read(path)
    listens, postfix = _parts(path, config, only)
    _check(config, bool(listens))
    pop = config.pop
    count = (config.submission.workers or os.cpu_count() or 1) if listens else 0
    board, pops = Board(count + bool(postfix)), PopTable()
    reread = partial(_reread, path, config)
    cache = LoginCache(os.urandom(KEY_OCTETS))
    ledger = Ledger(board.workers + 1)  # the relay counts as well
    shared = Shared(ledger, board, Lockout(Limits()), cache, reread, pops.names)
    relay_board = RelayBoard(relay_metrics.names(config.relay)) if listens and only is None else None
    made = _Sockets.of(config, listens, postfix, count)
    log = logs.start("supervisor")
    _warn_of_pop(config, policy, log)
    if listens:
        _warn_of_certificates(config, log)

    def check_reload() -> None:
        again = reread()[0]
        _check(again, bool(listens))
        if listens:
            _warn_of_certificates(again, log)

    def worker(number: int, parent: int) -> None:
        mine = [(listen, each[number]) for listen, each in made.ports]
        made.keep(*(each for _, each in mine))
        work(number, mine, config, policy, shared, parent)

    def answers(parent: int) -> None:
        made.keep(*made.asked.values())
        postfix_job.work(count, made.asked, config, policy, shared, parent)

    def monitor(parent: int) -> None:
        made.keep(made.watched)
        health.serve(made.watched, board, relay_board, parent)

    def relay(parent: int) -> None:
        made.keep()
        assert relay_board is not None
        rejected = Rejections(ledger.view(board.workers), time.monotonic).add
        relaying.work(config, _trace(config, policy), relay_board, parent, rejected)

    def reports(parent: int) -> None:
        assert pop is not None
        made.keep(*made.reported)
        pop_reports.work(made.reported[0], pop_reports.read_secret(pop.secret_file), pops, parent)

    jobs = [_job(f"submission-{number}", number, shared, partial(worker, number)) for number in range(count)]
    if postfix:
        jobs.append(_job("postfix", count, shared, answers))
    if relay_board:
        jobs.append(_relay_job(relay, relay_board))
    return Supervisor(
        jobs=[*jobs, Job("health", monitor), *([Job("pop", reports)] if pop else [])],
        log=log,
        notifier=Notifier(os.environ),
        check_reload=check_reload,
        stopping=made.remove,
        drain_seconds=config.submission.drain_seconds,
    ).run()


@dataclass(frozen=True)
class _Sockets:
    """What is listened at, made before the processes are, so that it outlives them."""

    ports: list[tuple[Listen, list[socket]]]
    """For each port one socket a worker."""
    watched: socket
    reported: list[socket]
    asked: dict[str, socket]
    paths: Postfix | None

    @classmethod
    def of(cls, config: Config, listens: Iterable[Listen], postfix: Postfix | None, count: int) -> _Sockets:
        """Raises UserError and Missing for what cannot be had."""
        return cls(
            [(listen, listening.sockets(listen.address, listen.port, count)) for listen in listens],
            listening.single(config.health.address, config.health.port),
            [listening.single(config.pop.address, config.pop.port)] if config.pop else [],
            postfix_sockets.opened(postfix) if postfix else {},
            postfix,
        )

    def keep(self, *wanted: socket) -> None:
        """Close all others: this process has no use for them."""
        ports = (one for _, made in self.ports for one in made)
        for each in (*ports, self.watched, *self.reported, *self.asked.values()):
            if each not in wanted:
                each.close()

    def remove(self) -> None:
        """Nothing is to be listened at any more."""
        self.keep()
        if self.paths:
            postfix_sockets.removed(self.paths)


def relay_alone(path: Path) -> int:
    """Hand on what is in the spool until told to stop; the exit status. Raises like `serve`."""
    config, policy = read(path)
    relaying.read(config.relay, config.submission)
    board = RelayBoard(relay_metrics.names(config.relay))
    jobs = [_relay_job(partial(relaying.work, config, _trace(config, policy), board), board)]
    if config.health.relay_port is not None:
        watched = listening.single(config.health.address, config.health.relay_port)
        jobs.append(Job("health", partial(health.serve, watched, None, board)))
    return Supervisor(
        jobs=jobs,
        log=logs.start("supervisor"),
        notifier=Notifier(os.environ),
        check_reload=lambda: None,
        stopping=lambda: None,
        drain_seconds=relaying.GRACE_SECONDS,
    ).run()


def _trace(config: Config, policy: Policy) -> Trace:
    return Trace(config.submission.spool, policy.submission.trace_days)


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
    relays = any(listen.role == "relay" for listen in config.submission.listen)
    if relays and config.accounts.dovecot and config.submission.local_recipients == "accounts":
        raise UserError(
            f"{path}: submission.local_recipients: the store does not have the mailboxes that are Dovecot's; "
            'write local_recipients = "ask", and [[relay.routes]] for their domains'
        )
    if config.submission.local_recipients == "ask":
        routed = {route.domain.lower() for route in config.relay.routes}
        for domain in configuration.local_domains(config, policy):
            if domain not in routed:
                raise UserError(
                    f'{path}: submission.local_recipients: "ask" needs to know whom to ask for {domain}; '
                    'write [[relay.routes]] for it, or local_recipients = "accounts"'
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
    for name in ("listen", "workers", "spool", "local_recipients"):
        if getattr(config.submission, name) != getattr(before.submission, name):
            raise UserError(f"{path}: submission.{name} changes at a restart only; put it back, or restart the service")
    for name in ("store", "health", "relay", "pop", "accounts", "postfix"):
        if getattr(config, name) != getattr(before, name):
            raise UserError(f"{path}: {name} changes at a restart only; put it back, or restart the service")
    return config, policy


def _warn_of_certificates(config: Config, log: FilteringBoundLogger) -> None:
    for file, ended in certificates(config).expired(datetime.now(UTC)):
        log.error("certificate has expired; renew it, then reload", file=str(file), ended=ended.isoformat())


def _check(config: Config, takes_mail: bool) -> None:
    """What a process would fail over. Without `takes_mail`, certificates and mail are Postfix's business."""
    if config.pop:
        pop_reports.read_secret(config.pop.secret_file)
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


def _warn_of_pop(config: Config, policy: Policy, log: FilteringBoundLogger) -> None:
    """Configuration and policy do not belong together, and yet nothing is wrong enough not to serve."""
    refused = policy.submission.pop_before_smtp is PopBeforeSmtp.REFUSED
    if config.pop and refused:
        log.warning("the policy refuses POP before SMTP: what Dovecot reports to [pop] opens nothing")
    elif not config.pop and not refused:
        log.warning("the policy knows POP before SMTP, and nothing reports log-ins: [pop] is missing")


def _relay_job(run: Callable[[int], None], board: RelayBoard) -> Job:
    def stuck() -> bool:
        alive = board.get(Cell.ALIVE)
        return bool(alive) and time.monotonic() - alive > STUCK_SECONDS

    return Job("relay", run, lambda: bool(board.get(Cell.ALIVE)), stuck, board.forget)


def _job(name: str, number: int, shared: Shared, run: Callable[[int], None]) -> Job:
    meters = shared.board.of(number)

    def stuck() -> bool:
        return bool(meters.get(Metric.READY)) and time.monotonic() - meters.get(Metric.ALIVE) > STUCK_SECONDS

    def buried() -> None:
        shared.board.forget(number)
        shared.ledger.forget(number)

    return Job(name, run, lambda: bool(meters.get(Metric.READY)), stuck, buried)
