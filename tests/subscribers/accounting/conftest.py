"""The whole lease server in a process of its own, on a real store."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest

from op25b.processes.board import Board
from op25b.store import Store, upgrade
from op25b.subscribers.accounting import job
from op25b.subscribers.accounting.config import Client, Http, LeaseServer, Listen
from op25b.subscribers.accounting.numbers import Counted
from op25b.subscribers.leases import Held, Leases, Merged, under_way, who
from tests.support.accounting import SECRET
from tests.support.databases import postgresql, url
from tests.support.service import eventually, free_ports

__all__ = ["postgresql", "url"]
TOKEN = "0123456789abcdef"


@dataclass
class LeaseService:
    """`after`: what the process does once facts are committed."""

    settings: LeaseServer
    url: str
    after: Callable[[Merged], None] = lambda _: None
    pid: int = 0

    def __post_init__(self) -> None:
        self.made = job.Sockets.of(self.settings)
        self.board = Board("op25b_leases", Counted)
        self.store = Store(self.url)

    @property
    def radius_port(self) -> int:
        return self.settings.listen[0].port

    def start(self) -> None:
        ends, self._lifeline = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._lifeline)
            try:
                store = Store(self.url)
                merge = partial(Leases(store, timedelta(hours=24)).merge, synced=False)
                behind = job.Behind(merge, store.sync, self.after, self.known, lambda: self.settings)
                job.work(self.made, self.settings, behind, self.board.of(), ends)
            finally:
                os._exit(0)
        os.close(ends)
        eventually(lambda: self.board.is_ready())

    def known(self, source: str) -> dict[str, Held]:
        with Store(self.url).read() as connection:
            return under_way(connection, source)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        self.wait()

    def wait(self) -> None:
        """Until it has ended."""
        os.waitpid(self.pid, 0)
        os.close(self._lifeline)
        self.pid = 0
        self.board.forget()

    def close(self) -> None:
        if self.pid:
            self.stop()
        for each in self.made.all():
            each.close()
        self.store.close()

    def counted(self, metric: Counted) -> int:
        return self.board.total(metric)

    def holder(self, address: str) -> str | None:
        """Who holds an address now."""
        with self.store.read() as connection:
            answer = who(connection, ip_address(address), datetime.now(UTC))
        return answer.holder.subscriber if answer.holder else None


@pytest.fixture
def settings(tmp_path: Path) -> LeaseServer:
    for name, text in {"secret": SECRET.decode(), "token": TOKEN}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    radius, http = free_ports(2)
    return LeaseServer(
        listen=(Listen(address="127.0.0.1", port=radius),),
        clients=(Client(prefix="127.0.0.0/8", secret_file=tmp_path / "secret"),),
        http=Http(port=http, token_file=tmp_path / "token"),
    )


@pytest.fixture
def service(settings: LeaseServer, url: str) -> Iterator[LeaseService]:
    """Not started yet."""
    upgrade(url)
    made = LeaseService(settings, url)
    yield made
    made.close()
