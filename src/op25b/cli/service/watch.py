"""The watch on a router: log and counters by way of the enforcer, holders from the store, cases into it."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import uvloop
from sqlalchemy import Connection

from op25b.cli.service import part
from op25b.cli.service.part import Part
from op25b.cli.service.present import Present
from op25b.enforcement.enforcer_client import Away, Client
from op25b.enforcement.requests import Attempts, Refused
from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.processes import logs
from op25b.processes.board import Board, Meters, Metric
from op25b.processes.stopping import Reload, until_told
from op25b.store import Store
from op25b.subscribers.leases import Period, who_each
from op25b.watch.activity import Source
from op25b.watch.following import Counted, Follower
from op25b.watch.settings import Watching
from op25b.watch.watcher import Held, Watcher


class Watched(Metric):
    """Of the watch."""

    RECORDS = "counter", "Log records read."
    RECORDS_LOST = "counter", "Log records that the kernel could not hand over, by the gaps in their numbers."
    RECORDS_UNREADABLE = "counter", "Log records that are not of a TCP packet."
    CASES_OPENED = "counter", "Cases opened here."
    CASES_CLOSED = "counter", "Cases closed here because they had been quiet."
    DISPUTED = "counter", "Packets that nobody is blamed for: their address changed hands meanwhile."
    FORGOTTEN = "counter", "Subscribers and addresses forgotten for want of room."
    CASES_OPEN = "gauge", "Cases open in the store."


def made(present: Present, table: Watching) -> Part:
    """Nothing runs yet."""
    board = Board("op25b_watch", Watched)

    def run(parent: int) -> None:
        uvloop.run(_work(present, table, board.of(), parent))

    return Part([part.job("watch", run, board)], [part.shown("watch", board)])


async def _work(present: Present, table: Watching, meters: Meters, parent: int) -> None:
    log = logs.start("watch")
    zone = ZoneInfo(present.policy.provider.time_zone)
    watcher = Watcher(Store(present.config.store), present.policy, _held)
    kernel = _Kernel(table.enforcer, present.policy)
    following = Follower(kernel, watcher, lambda: datetime.now(zone), log)
    showing = _Showing(following, meters)

    def take(policy: Policy) -> None:
        watcher.policy = policy

    stop = until_told(parent, Reload(lambda: present.reread()[1], take, log))
    showing.show()
    await following.run(stop, showing.show)
    showing.show()


class _Showing:
    """Brings the watch's figures to the board; they begin anew with each process, the board's counters do not."""

    def __init__(self, following: Follower, meters: Meters) -> None:
        self._following, self._meters = following, meters
        self._before = dict.fromkeys(Watched, 0)

    def show(self) -> None:
        report, reader = self._following.watcher.report, self._following.reader
        figures = {
            Watched.CASES_OPENED: report.opened,
            Watched.CASES_CLOSED: report.closed,
            Watched.DISPUTED: report.disputed,
            Watched.FORGOTTEN: report.forgotten,
        }
        if reader is not None:
            figures |= {
                Watched.RECORDS: reader.counts.records,
                Watched.RECORDS_LOST: reader.counts.lost,
                Watched.RECORDS_UNREADABLE: reader.counts.unreadable,
            }
        for metric, figure in figures.items():
            self._meters.add(metric, figure - self._before[metric])
            self._before[metric] = figure
        self._meters.set(Watched.CASES_OPEN, report.open)
        self._meters.alive_at = time.monotonic()


class _Kernel:
    """What the enforcer does for the watch; a connection for each question, as they are seldom."""

    def __init__(self, path: Path, policy: Policy) -> None:
        self._path, self._group = path, policy.filter.log_group

    def log(self) -> socket.socket | None:
        if self._group is None:
            return None
        try:
            with Client(self._path) as enforcer:
                return enforcer.nflog(self._group)
        except (Away, Refused) as error:
            raise UserError(str(error)) from None

    def seen(self) -> Counted:
        try:
            with Client(self._path) as enforcer:
                found = {name: _packets(attempts) for name, attempts in enforcer.seen().items()}
                enforcer.seen_kept()
        except (Away, Refused) as error:
            raise UserError(str(error)) from None
        return found


def _packets(attempts: Attempts) -> dict[Source, int]:
    """By source as the watch has it: an IPv4 address, or the upper half of an IPv6 one."""
    width = min(attempts.sources.shape[1], 8)
    sources = np.ascontiguousarray(attempts.sources[:, :width]).view(f">u{width}").ravel()
    return dict(zip(sources.tolist(), attempts.packets.tolist(), strict=True))


def _held(connection: Connection, asked: Sequence[tuple[str, datetime]]) -> list[Held | None]:
    answers = who_each(connection, [(ip_network(prefix).network_address, at) for prefix, at in asked])
    return [_lease(answer.holder) for answer in answers]


def _lease(period: Period | None) -> Held | None:
    return period and Held(period.subscriber, period.prefix, period.source, period.session, period.since)
