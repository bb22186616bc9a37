"""From a configuration file to a running service; everything that can be wrong is found before anything is served."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from socket import socket

from structlog.typing import FilteringBoundLogger

from op25b.errors import UserError
from op25b.policy.model import Policy, PopBeforeSmtp
from op25b.store import Store
from op25b.store.schema import require_current
from op25b.submission import config as configuration
from op25b.submission.config import Config
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
from op25b.subscribers.lockout import Limits, Lockout
from op25b.subscribers.login_cache import KEY_OCTETS, LoginCache

STUCK_SECONDS = 60


def serve(path: Path, *, with_relay: bool = True) -> int:
    """Serve until told to stop; the exit status. Raises UserError and Missing for what keeps it from starting.

    Without the relay what is taken stays in the spool, for a relay elsewhere.
    """
    config, policy = read(path)
    _check(config)
    submission, pop = config.submission, config.pop
    count = submission.workers or os.cpu_count() or 1
    board, pops = Board(count), PopTable()
    reread = partial(_reread, path, config)
    cache = LoginCache(os.urandom(KEY_OCTETS))
    ledger = Ledger(count + 1)  # the relay counts as well
    shared = Shared(ledger, board, Lockout(Limits()), cache, reread, pops.names)
    ports = [(listen, listening.sockets(listen.address, listen.port, count)) for listen in submission.listen]
    relay_board = RelayBoard(relay_metrics.names(config.relay)) if with_relay else None
    watched = listening.single(config.health.address, config.health.port)
    reported = [listening.single(pop.address, pop.port)] if pop else []
    log = logs.start("supervisor")
    _warn_of_pop(config, policy, log)
    _warn_of_certificates(config, log)

    def check_reload() -> None:
        again = reread()[0]
        _check(again)
        _warn_of_certificates(again, log)

    def keep(*wanted: socket) -> None:
        for each in (*(one for _, made in ports for one in made), watched, *reported):
            if each not in wanted:
                each.close()

    def worker(number: int, parent: int) -> None:
        keep(*(made[number] for _, made in ports))
        work(number, [(listen, made[number]) for listen, made in ports], config, policy, shared, parent)

    def monitor(parent: int) -> None:
        keep(watched)
        health.serve(watched, board, relay_board, parent)

    def relay(parent: int) -> None:
        keep()
        assert relay_board is not None
        relaying.work(config, relay_board, parent, Rejections(ledger.view(count), time.monotonic).add)

    def reports(parent: int) -> None:
        assert pop is not None
        keep(*reported)
        pop_reports.work(reported[0], pop_reports.read_secret(pop.secret_file), pops, parent)

    jobs = [_job(number, board, ledger, partial(worker, number)) for number in range(count)]
    supervisor = Supervisor(
        jobs=[
            *jobs,
            *([_relay_job(relay, relay_board)] if relay_board else []),
            Job("health", monitor),
            *([Job("pop", reports)] if pop else []),
        ],
        log=log,
        notifier=Notifier(os.environ),
        check_reload=check_reload,
        stopping=keep,
        drain_seconds=submission.drain_seconds,
    )
    return supervisor.run()


def relay_alone(path: Path) -> int:
    """Hand on what is in the spool until told to stop; the exit status. Raises like `serve`."""
    config, _ = read(path)
    relaying.read(config.relay, config.submission)
    board = RelayBoard(relay_metrics.names(config.relay))
    jobs = [_relay_job(partial(relaying.work, config, board), board)]
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
    if config.submission.local_recipients == "ask":
        routed = {route.domain.lower() for route in config.relay.routes}
        for domain in configuration.local_domains(config, policy):
            if domain not in routed:
                raise UserError(
                    f'{path}: submission.local_recipients: "ask" needs to know whom to ask for {domain}; '
                    'write [[relay.routes]] for it, or local_recipients = "accounts"'
                )
    return config, policy


def _reread(path: Path, before: Config) -> tuple[Config, Policy]:
    config, policy = read(path)
    for name in ("listen", "workers", "spool", "local_recipients"):
        if getattr(config.submission, name) != getattr(before.submission, name):
            raise UserError(f"{path}: submission.{name} changes at a restart only; put it back, or restart the service")
    for name in ("store", "health", "relay", "pop"):
        if getattr(config, name) != getattr(before, name):
            raise UserError(f"{path}: {name} changes at a restart only; put it back, or restart the service")
    return config, policy


def _warn_of_certificates(config: Config, log: FilteringBoundLogger) -> None:
    for file, ended in certificates(config).expired(datetime.now(UTC)):
        log.error("certificate has expired; renew it, then reload", file=str(file), ended=ended.isoformat())


def _check(config: Config) -> None:
    """What a worker would fail over."""
    certificates(config)
    relaying.read(config.relay, config.submission)
    if config.pop:
        pop_reports.read_secret(config.pop.secret_file)
    spool = config.submission.spool
    folder = spool if spool.exists() else spool.parent
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK) or not folder.is_dir():
        raise UserError(f"spool {spool}: not a folder that this user can write to; `chown` it to the service's user")
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


def _job(number: int, board: Board, ledger: Ledger, run: Callable[[int], None]) -> Job:
    meters = board.of(number)

    def stuck() -> bool:
        return bool(meters.get(Metric.READY)) and time.monotonic() - meters.get(Metric.ALIVE) > STUCK_SECONDS

    def buried() -> None:
        board.forget(number)
        ledger.forget(number)

    return Job(f"submission-{number}", run, lambda: bool(meters.get(Metric.READY)), stuck, buried)
