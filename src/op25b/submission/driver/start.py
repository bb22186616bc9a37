"""From a configuration file to a running service; everything that can be wrong is found before anything is served."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import socket
from typing import Literal

from op25b.policy.model import Policy
from op25b.processes import health, listening, logs
from op25b.processes.board import STUCK_SECONDS, Board
from op25b.processes.notify import Notifier
from op25b.processes.supervisor import Job, Supervisor
from op25b.submission.config import Config, Listen, Pop, Postfix
from op25b.submission.driver import checks, metrics, pop_reports, relay_metrics, relaying
from op25b.submission.driver.ledger import Ledger
from op25b.submission.driver.limits import Rejections
from op25b.submission.driver.pop_table import PopTable
from op25b.submission.driver.relay_metrics import Cell, RelayBoard
from op25b.submission.driver.server import Shared, work
from op25b.submission.postfix import job as postfix_job
from op25b.submission.postfix import sockets as postfix_sockets
from op25b.submission.trace import Trace
from op25b.subscribers.lockout import Limits, Lockout
from op25b.subscribers.login_cache import KEY_OCTETS, LoginCache


def serve(path: Path, only: Literal["submission", "postfix"] | None = None) -> int:
    """Serve until told to stop; the exit status. Raises UserError and Missing for what keeps it from starting.

    Without the relay (`only` submission) what is taken stays in the spool, for a relay elsewhere.
    """
    config, policy = checks.read(path)
    listens, postfix = checks.parts(path, config, only)
    takes_mail = bool(listens)
    checks.check(config, takes_mail)
    pop = config.pop
    count = (config.submission.workers or os.cpu_count() or 1) if listens else 0
    board, pops = metrics.board(count + bool(postfix)), PopTable()
    reread = partial(checks.reread, path, config)
    shared = _shared(board, reread, pops)
    relay_board = RelayBoard(relay_metrics.names(config.relay)) if listens and only is None else None
    made = _Sockets.of(config, listens, postfix, count)
    log = logs.start("supervisor")
    checks.warn(config, policy, takes_mail, log)

    def reload() -> None:
        # also for the processes that are started later, in place of those that died
        nonlocal config, policy
        config_now, policy_now = reread()
        checks.check(config_now, takes_mail)
        config, policy = config_now, policy_now
        checks.warn(config, policy, takes_mail, log)

    def worker(number: int, parent: int) -> None:
        mine = [(listen, each[number]) for listen, each in made.ports]
        made.keep(*(each for _, each in mine))
        work(number, mine, config, policy, shared, parent)

    def answers(parent: int) -> None:
        made.keep(*made.asked.values())
        postfix_job.work(count, made.asked, config, policy, shared, parent)

    def monitor(parent: int) -> None:
        made.keep(made.watched)
        parts = [metrics.shown(board), *([relay_metrics.shown(relay_board)] if relay_board else [])]
        health.serve(made.watched, parts, parent)

    def relay(parent: int) -> None:
        made.keep()
        assert relay_board is not None
        rejected = Rejections(shared.ledger.view(board.rows), time.monotonic).add
        relaying.work(config, _trace(config, policy), relay_board, parent, rejected)

    jobs = [_job(f"submission-{number}", number, shared, partial(worker, number)) for number in range(count)]
    if postfix:
        jobs.append(_job("postfix", count, shared, answers))
    if relay_board:
        jobs.append(_relay_job(relay, relay_board))
    return Supervisor(
        jobs=[*jobs, Job("health", monitor), *([Job("pop", partial(_take_reports, pop, made, pops))] if pop else [])],
        log=log,
        notifier=Notifier(os.environ),
        check_reload=reload,
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


def _take_reports(pop: Pop, made: _Sockets, pops: PopTable, parent: int) -> None:
    made.keep(*made.reported)
    pop_reports.work(made.reported[0], pop_reports.read_secret(pop.secret_file), pops, parent)


def _shared(board: Board, reread: Callable[[], tuple[Config, Policy]], pops: PopTable) -> Shared:
    ledger = Ledger(board.rows + 1)  # the relay counts as well
    return Shared(ledger, board, Lockout(Limits()), LoginCache(os.urandom(KEY_OCTETS)), reread, pops.names)


def relay_alone(path: Path) -> int:
    """Hand on what is in the spool until told to stop; the exit status. Raises like `serve`."""
    config, policy = checks.read(path)
    relaying.read(config.relay, config.submission)
    board = RelayBoard(relay_metrics.names(config.relay))
    jobs = [_relay_job(partial(relaying.work, config, _trace(config, policy), board), board)]
    if config.health.relay_port is not None:
        watched = listening.single(config.health.address, config.health.relay_port)
        jobs.append(Job("health", partial(health.serve, watched, [relay_metrics.shown(board)])))
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


def _relay_job(run: Callable[[int], None], board: RelayBoard) -> Job:
    def stuck() -> bool:
        alive = board.get(Cell.ALIVE)
        return bool(alive) and time.monotonic() - alive > STUCK_SECONDS

    return Job("relay", run, lambda: bool(board.get(Cell.ALIVE)), stuck, board.forget)


def _job(name: str, number: int, shared: Shared, run: Callable[[int], None]) -> Job:
    board = shared.board

    def buried() -> None:
        board.forget(number)
        shared.ledger.forget(number)

    return Job(name, run, partial(board.is_ready, number), lambda: board.is_stuck(time.monotonic(), number), buried)
