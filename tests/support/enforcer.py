"""An enforcer in a process of its own, in the network namespace in which it is started."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

from op25b.enforcement.enforcer_client import Client

_PROGRAM = """
import json, os, socket, sys
from op25b.enforcement import enforcer
from op25b.enforcement.enforcer_metrics import Enforced
from op25b.processes import logs
from op25b.processes.board import Board
listener, parent, settings = sys.argv[1:]
read = json.loads(settings)
board = Board("op25b_enforcer", Enforced)
enforcer.work(
    socket.socket(fileno=int(listener)),
    enforcer.Settings(frozenset(read.pop("uids")), **read), board.of(), logs.start("enforcer"), int(parent),
)
print(*(f"{family.name}={family.samples[0].value:.0f}" for family in board.families()))
"""
NOBODY = 65534
ALONE = [
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
    *(f"--{kind}=-all,+net_admin" for kind in ("inh-caps", "ambient-caps", "bounding-set")),
]  # fmt: skip
"""Runs a program as nobody, with CAP_NET_ADMIN and nothing else."""


class Enforcer:
    """Started, and gone when the block ends. `settings` are those of enforcer.Settings; root is served if none say."""

    def __init__(self, *before: str, **settings: Any) -> None:
        self._before, self._settings = before, {"uids": [os.getuid()], **settings}

    def __enter__(self) -> Enforcer:
        self._folder = TemporaryDirectory()
        self.path = Path(self._folder.name, "enforcer.sock")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._log = Path(self._folder.name, "log").open("w+")
        self.start()
        return self

    def start(self) -> None:
        """Also again, after it was killed: who connects meanwhile waits."""
        parent, self._alive = os.pipe()
        handed = (self._listener.fileno(), parent)
        command = [*self._before, sys.executable, "-c", _PROGRAM, *map(str, handed), json.dumps(self._settings)]
        self.process = subprocess.Popen(command, pass_fds=handed, stderr=self._log, stdout=subprocess.PIPE, text=True)
        os.close(parent)

    def client(self) -> Client:
        return Client(self.path)

    def socket(self) -> socket.socket:
        """A bare connection."""
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        found.settimeout(20)
        found.connect(str(self.path))
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._forget()

    def stop(self) -> dict[str, int]:
        """Told to; what it has counted."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, self.log()
        self._forget()
        return {name: int(value) for name, _, value in (word.partition("=") for word in said.split())}

    def _forget(self) -> None:
        with suppress(OSError):
            os.close(self._alive)
        self._alive = -1

    def log(self) -> list[dict[str, Any]]:
        """What it has said so far."""
        return [json.loads(line) for line in Path(self._folder.name, "log").read_text().splitlines()]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()
        self._forget()
        self._listener.close()
        self._log.close()
        self._folder.cleanup()
