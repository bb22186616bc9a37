"""`op25b serve` itself, as a service manager runs it."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

_RANGES, _PORTS = 8, 2_800
PROGRAM = (sys.executable, "-m", "op25b")


def free_ports(count: int) -> list[int]:
    """Below those that the kernel gives to clients: another's connection would take one before it is used. Tests that
    run side by side have ranges of their own."""
    held: list[socket.socket] = []
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _RANGES
    first = 10_000 + worker * _PORTS
    while len(held) < count:
        with suppress(OSError):
            held.append(socket.create_server(("127.0.0.1", random.randrange(first, first + _PORTS))))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


class Running:
    """A context manager: from READY=1 to a clean end. `health`: the port of /healthz.

    The configuration is `service.toml` in a folder, which also gets the log.
    """

    def __init__(
        self, folder: Path, health: int, parts: tuple[str, ...] = (), program: tuple[str, ...] = PROGRAM
    ) -> None:
        self.folder, self.health, self.parts, self.program = folder, health, parts, program
        self.config = folder / "service.toml"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(str(self.folder / "notify"))
        self._notices.settimeout(30)
        self._log = (self.folder / "log").open("wb")
        self._process = subprocess.Popen(
            [*self.program, "serve", str(self.config), *self.parts],
            env=os.environ | {"NOTIFY_SOCKET": str(self.folder / "notify")},
            stderr=self._log,
        )
        try:
            self.await_notice("READY=1")
        except TimeoutError:
            self._process.kill()
            raise AssertionError((self.folder / "log").read_text()) from None
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
        assert self._process.wait(30) == 0
        self._log.close()
        self._notices.close()
        (self.folder / "notify").unlink()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def await_notice(self, wanted: str) -> None:
        """Until the service manager would have been told so."""
        while wanted not in self._notices.recv(4096).decode().split("\n"):
            pass

    def children(self) -> list[int]:
        """The processes of its jobs."""
        assert self._process is not None
        found = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return [int(pid) for pid in found]

    def processes(self) -> dict[str, int]:
        """The process id of each job."""
        return {Path(f"/proc/{pid}/comm").read_text().strip().removeprefix("op25b "): pid for pid in self.children()}

    def kill(self) -> None:
        """With all its processes, at once; to be entered again, not left."""
        assert self._process is not None
        found = self.children()
        for pid in [self._process.pid, *found]:
            os.kill(pid, signal.SIGKILL)
        self._process.wait(30)
        self._log.close()
        self._notices.close()
        (self.folder / "notify").unlink()
        eventually(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in found))

    def stopped(self) -> int:
        assert self._process is not None
        return self._process.wait(30)

    def log(self) -> list[dict[str, Any]]:
        lines = (self.folder / "log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
        return text


def eventually(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Of what another process does, which tells nobody when it is done."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
