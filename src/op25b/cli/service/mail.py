"""The way out: workers that take mail, the relay, Dovecot's reports, and what answers a Postfix."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from socket import socket
from typing import Literal

from op25b.cli.service.config import Config
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.processes import listening
from op25b.processes.board import STUCK_SECONDS
from op25b.processes.supervisor import Job
from op25b.submission import config as configuration
from op25b.submission.config import Listen, Pop, Postfix
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

Alone = Literal["submission", "postfix"]


def made(present: Present, only: Alone | None) -> Part:
    """The sockets are made, nothing runs yet. Raises UserError and Missing for what cannot be had.

    Without the relay (`only` submission) what is taken stays in the spool, for a relay elsewhere.
    """
    listens, postfix = _wanted(present, only)
    made = _Made(present, listens, postfix)
    jobs, shown = made.workers(), [metrics.shown(made.board)]
    if postfix:
        jobs.append(made.postfix(postfix))
    if listens and only is None:
        relay_board = RelayBoard(relay_metrics.names(_mail(present.config).relay))
        jobs.append(_relay_job(made.relay(relay_board), relay_board))
        shown.append(relay_metrics.shown(relay_board))
    if pop := _mail(present.config).pop:
        jobs.append(made.reports(pop))
    takes_mail = bool(listens)
    return Part(
        jobs,
        shown,
        lambda config, _: checks.check(_mail(config), takes_mail),
        lambda config, policy, log: checks.warn(_mail(config), policy, takes_mail, log),
        (lambda: postfix_sockets.removed(postfix)) if postfix else (lambda: None),
        drain_seconds=_mail(present.config).submission.drain_seconds,
    )


def relay_alone(present: Present) -> Part:
    """Hands on what is in the spool."""
    config = _mail(present.config)
    board = RelayBoard(relay_metrics.names(config.relay))
    run = partial(relaying.work, config, _trace(config, present.policy), board)
    return Part(
        [_relay_job(run, board)],
        [relay_metrics.shown(board)],
        check=lambda config, _: _readable(_mail(config)),
        drain_seconds=relaying.GRACE_SECONDS,
    )


def _readable(config: configuration.Config) -> None:
    relaying.read_settings(config.relay, config.submission)
    relaying.read_signer(config.relay)


def _mail(config: Config) -> configuration.Config:
    assert config.mail is not None, "asked for where there is a way out"
    return config.mail


def _wanted(present: Present, only: Alone | None) -> tuple[tuple[Listen, ...], Postfix | None]:
    config = _mail(present.config)
    if only == "submission" and not config.submission.listen:
        raise UserError(f"{present.path}: there is no [[submission.listen]] to serve; write one, or leave out --only")
    if only == "postfix" and config.postfix is None:
        raise UserError(f"{present.path}: there is no [postfix] to serve; write it, or leave out --only")
    return () if only == "postfix" else config.submission.listen, None if only == "submission" else config.postfix


class _Made:
    """What the processes share, made before they are forked; and the jobs."""

    def __init__(self, present: Present, listens: tuple[Listen, ...], postfix: Postfix | None) -> None:
        self._present, self._listens = present, listens
        self._count = (_mail(present.config).submission.workers or os.cpu_count() or 1) if listens else 0
        self.board, self._pops = metrics.board(self._count + bool(postfix)), PopTable()
        ledger = Ledger(self.board.rows + 1)  # the relay counts as well
        cache = LoginCache(os.urandom(KEY_OCTETS))
        self._shared = Shared(ledger, self.board, Lockout(Limits()), cache, self._reread, self._pops.names)

    def _reread(self) -> tuple[configuration.Config, Policy]:
        config, policy = self._present.reread()
        return _mail(config), policy

    def workers(self) -> list[Job]:
        ports = [(each, listening.sockets(each.address, each.port, self._count)) for each in self._listens]

        def job(number: int) -> Job:
            mine = [(listen, made[number]) for listen, made in ports]

            def run(parent: int) -> None:
                work(number, mine, _mail(self._present.config), self._present.policy, self._shared, parent)

            return self._job(f"submission-{number}", number, run, [made for _, made in mine])

        return [job(number) for number in range(self._count)]

    def postfix(self, postfix: Postfix) -> Job:
        asked, number = postfix_sockets.opened(postfix), self._count

        def run(parent: int) -> None:
            config, policy = _mail(self._present.config), self._present.policy
            postfix_job.work(number, asked, config, policy, self._shared, parent)

        return self._job("postfix", number, run, list(asked.values()))

    def relay(self, board: RelayBoard) -> Callable[[int], None]:
        def run(parent: int) -> None:
            config = _mail(self._present.config)
            rejected = Rejections(self._shared.ledger.view(self.board.rows), time.monotonic).add
            relaying.work(config, _trace(config, self._present.policy), board, parent, rejected)

        return run

    def reports(self, pop: Pop) -> Job:
        made = listening.single(pop.address, pop.port)

        def run(parent: int) -> None:
            pop_reports.work(made, pop_reports.read_secret(pop.secret_file), self._pops, parent)

        return Job("pop", run, [made])

    def _job(self, name: str, number: int, run: Callable[[int], None], sockets: list[socket]) -> Job:
        board = self.board

        def buried() -> None:
            board.forget(number)
            self._shared.ledger.forget(number)

        def stuck() -> bool:
            return board.is_stuck(time.monotonic(), number)

        return Job(name, run, sockets, ready=partial(board.is_ready, number), stuck=stuck, buried=buried)


def _trace(config: configuration.Config, policy: Policy) -> Trace:
    return Trace(config.submission.spool, policy.submission.trace_days)


def _relay_job(run: Callable[[int], None], board: RelayBoard) -> Job:
    def stuck() -> bool:
        alive = board.get(Cell.ALIVE)
        return bool(alive) and time.monotonic() - alive > STUCK_SECONDS

    return Job("relay", run, ready=lambda: bool(board.get(Cell.ALIVE)), stuck=stuck, buried=board.forget)
