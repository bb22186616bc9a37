"""Who takes accounting on the router and lets exempt subscribers through: what all have in common, and op25b."""

from __future__ import annotations

import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

from netns import Router
from processes import tree
from radiusload import PORT, SECRET
from sqlalchemy import insert

from op25b.enforcement import live
from op25b.enforcement.members import count
from op25b.enforcement.netlink import Netlink
from op25b.store import Store, tables, upgrade

START_SECONDS = 60
SIZE = 1 << 17


class Accounter(ABC):
    """A context manager: inside, it answers on the router's loopback. `exempt`: names of subscribers."""

    name: ClassVar[str]

    def __init__(self, router: Router, folder: Path, exempt: Iterable[str]) -> None:
        self.router, self.folder = router, folder
        router.router.run("ip", "link set lo up\n")
        router.router.run("nft", "flush ruleset\n")
        self.prepare(exempt)

    @abstractmethod
    def prepare(self, exempt: Iterable[str]) -> None:
        """Write its files and load its rules."""

    @abstractmethod
    def command(self) -> list[str]:
        """A program that stays in the foreground and writes to the file `log` when it is ready."""

    @abstractmethod
    def is_ready(self, log: str) -> bool: ...

    @abstractmethod
    def members(self) -> int:
        """Addresses that are in the filter."""

    @abstractmethod
    def sessions(self) -> int:
        """Sessions that are written down."""

    def __enter__(self) -> Self:
        with self.router.router.entered(), (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready(said := (self.folder / "log").read_text()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"{self.name} does not start: {said[-800:]}")
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(START_SECONDS)


POLICY = """
provider = { name = "bench", display = { ja = "b", en = "b" }, time_zone = "Asia/Tokyo" }
own_servers = [{ name = "mail", hosts = ["mail.example"], addresses = ["192.0.2.25"], ports = [587] }]
pools = [{ name = "all", prefixes = ["10.0.0.0/8"] }]
phases = [{ name = "everyone", mode = "enforce", scope = {} }]
filter = { refuse = "drop", exempt_size = SIZE }
"""
CONFIG = """
policy = "policy.toml"
store = "sqlite:///{folder}/op25b.db"
[enforcer]
socket = "enforcer"
[follower]
enforcer = "enforcer"
[leases]
listen = [{{ address = "127.0.0.1", port = {port} }}]
clients = [{{ prefix = "127.0.0.1", secret_file = "secret" }}]
"""


class Op25b(Accounter):
    """`op25b serve` with the lease server, its follower and the enforcer."""

    name = "op25b"
    size: ClassVar[int] = SIZE

    def prepare(self, exempt: Iterable[str]) -> None:
        (self.folder / "policy.toml").write_text(POLICY.replace("SIZE", str(self.size)))
        (self.folder / "service.toml").write_text(CONFIG.format(folder=self.folder, port=PORT))
        (self.folder / "secret").write_bytes(SECRET)
        (self.folder / "secret").chmod(0o600)
        self.store = Store(upgraded(f"sqlite:///{self.folder}/op25b.db"))
        grant(self.store, exempt)
        with self.router.router.entered():
            put = [sys.executable, "-m", "op25b", "apply", "policy.toml", "--state", "state"]
            subprocess.run(put, cwd=self.folder, check=True, capture_output=True)

    def command(self) -> list[str]:
        return [sys.executable, "-m", "op25b", "serve", str(self.folder / "service.toml")]

    def is_ready(self, log: str) -> bool:
        return '"following the store"' in log

    def __enter__(self) -> Self:
        (self.folder / "log").unlink(missing_ok=True)
        return super().__enter__()

    def jobs(self) -> dict[str, int]:
        """The process id of each."""
        return {Path(f"/proc/{pid}/comm").read_text().strip(): pid for pid in tree(self.process.pid)[1:]}

    def members(self) -> int:
        with self.router.router.entered(), Netlink() as link:
            return count(live.LiveSets(link).read())

    def sessions(self) -> int:
        with self.store.read() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM sessions").scalar() or 0)


def upgraded(url: str) -> str:
    upgrade(url)
    return url


def grant(store: Store, subscribers: Iterable[str]) -> None:
    """An exemption in force for each, as the desk would write it."""
    now = datetime.now(UTC)
    until = now + timedelta(days=365)
    common: dict[str, Any] = {
        "kind": "subscriber", "state": "granted", "reason": "measurement", "granted_at": now, "from_at": now,
        "review_at": until, "until_at": until, "fee_accepted": False, "findings": [], "approvals": [],
        "requested_by": "bench", "requested_at": now, "changed_at": now, "version": 1,
    }  # fmt: skip
    with store.write() as connection:
        rows = [common | {"subscriber": each} for each in subscribers]
        if rows:
            connection.execute(insert(tables.exemptions), rows)
