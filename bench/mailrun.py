"""One run: a server is started in an empty folder, takes the load, has to have every message, and is thrown away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from mailservers.server import HOST, Place, Server
from processes import cpu_seconds

from op25b.errors import Missing

BASE = Path("/var/tmp")
"""Spools are made here: it must be a disk."""
SETTLE_SECONDS = 60
LOAD = Path(__file__).with_name("smtpload.py")


class Lost(Exception):
    """A server does not have what it acknowledged: its figures are worth nothing."""


@dataclass(frozen=True)
class Load:
    """What is handed in; see smtpload. `port`: `plain`, `starttls` or `implicit`; the last two log in."""

    port: str = "plain"
    per_connection: int = 1
    size: int = 4096
    connections: int = 50
    seconds: float = 3.0
    accounts: int = 20

    @property
    def logs_in(self) -> bool:
        return self.port != "plain"

    def command(self, server: Server) -> list[str]:
        """The cold log-ins, which cost op25b an argon2id each, come before the window."""
        options = {
            "--port": getattr(server.ports, self.port),
            "--tls": "none" if self.port == "plain" else self.port,
            "--per-connection": self.per_connection,
            "--size": self.size,
            "--connections": self.connections,
            "--accounts": self.accounts,
            "--seconds": self.seconds,
            "--warm": 3.0 if self.logs_in else 1.0,
        }
        words = [str(word) for pair in options.items() for word in pair]
        return [sys.executable, str(LOAD), *words, *(["--login"] if self.logs_in else [])]


@dataclass(frozen=True)
class Figure:
    """`rate`: messages a second. `cpu`: seconds of all the server's processes for 1,000 messages. Times in ms."""

    rate: float
    cpu: float
    median_ms: float
    p99_ms: float
    client_cpu: float
    """Share of one processor that the load took."""


@contextmanager
def shared_folder() -> Iterator[Path]:
    """With the certificate that all servers have: ECDSA P-256, as most are today."""
    with tempfile.TemporaryDirectory(prefix="op25b-bench-", dir=BASE) as name:
        folder = Path(name)
        folder.chmod(0o755)
        made = trustme.CA().issue_cert(HOST, "127.0.0.1")
        made.private_key_pem.write_to_path(folder / "key.pem")
        made.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
        yield folder


@contextmanager
def running(
    kind: type[Server],
    shared: Path,
    *,
    sync_us: int = 0,
    wrapper: Sequence[str] = (),
    smart_host: int | None = None,
    accounts: int = 20,
) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=shared))
    try:
        with kind(Place(folder, shared, accounts, sync_us, wrapper, smart_host)) as server:
            yield server
    finally:
        shutil.rmtree(folder)


def put_load(server: Server, load: Load, mark: Callable[[], None] = lambda: None) -> tuple[Figure, int]:
    """(the figure, messages acknowledged in all). Raises RuntimeError if the server refused.

    `mark` is called at the window's begin and end, for who counts something else meanwhile.
    """
    cpu, times = [], []
    result: dict[str, float] = {}
    with subprocess.Popen(load.command(server), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stderr is not None
        for line in client.stdout:
            if isinstance(said := json.loads(line), str):
                mark()
                times.append(time.monotonic())
                cpu.append(sum(map(cpu_seconds, server.pids)))
            else:
                result = said
        error = client.stderr.read()
    if client.returncode:
        raise RuntimeError(f"{server.name}: {error.strip()[-300:]}")
    used = (cpu[1] - cpu[0]) / result["counted"] * 1000
    share = result["client_cpu"] / (times[1] - times[0])
    return Figure(result["rate"], used, result["median_ms"], result["p99_ms"], share), int(result["acknowledged"])


def require_all(server: Server, acknowledged: int) -> None:
    """Raises Lost unless the server has exactly what it acknowledged."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (taken := server.taken()) != acknowledged:
        if time.monotonic() > deadline:
            raise Lost(f"{server.name} acknowledged {acknowledged} messages and has {taken}")
        time.sleep(0.2)


def measure(kind: type[Server], shared: Path, load: Load, sync_us: int = 0) -> Figure:
    """One run. Raises Lost, and RuntimeError if the server does not do what is asked of it."""
    with running(kind, shared, sync_us=sync_us, accounts=load.accounts) as server:
        figure, acknowledged = put_load(server, load)
        require_all(server, acknowledged)
    return figure


def disk() -> str:
    """The file system of the spools, to be named with the figures. Raises Missing if it is in memory."""
    device = os.stat(BASE).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        if fields.split()[2] == number:
            kind, source = rest.split()[:2]
            if kind in ("tmpfs", "ramfs"):
                raise Missing(f"{BASE} is in memory ({kind}); figures of synced mail need a disk there")
            return f"{kind} on {source}"
    return "unknown"
