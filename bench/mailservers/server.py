"""What all of them have in common: a place, ports, accounts, and being started and stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from processes import tree
from smtpload import account

from mailservers import preload

HOST = "mail.netlaputa.example"
START_SECONDS = 60
STOP_SECONDS = 60


@dataclass(frozen=True)
class Place:
    """Where and how a server runs. `folder`: empty, on the file system that is measured. `wrapper`: strace, if any.

    `shared`: what is made once for all runs; the certificate is there already.
    """

    folder: Path
    shared: Path
    accounts: int = 50
    sync_us: int = 0
    """Microseconds by which each sync takes longer."""
    wrapper: Sequence[str] = ()
    smart_host: int | None = None
    """The port of the sink that mail is handed on to; None: nothing leaves."""

    @property
    def certificate(self) -> Path:
        return self.shared / "certificate.pem"

    @property
    def key(self) -> Path:
        return self.shared / "key.pem"

    @property
    def names(self) -> list[str]:
        return [account(number) for number in range(self.accounts)]


@dataclass(frozen=True)
class Ports:
    """`plain`: takes mail without TLS and log-in from the loopback."""

    plain: int
    starttls: int
    implicit: int

    @classmethod
    def free(cls) -> Self:
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        ports = [each.getsockname()[1] for each in held]
        for each in held:
            each.close()
        return cls(*ports)


class Server(ABC):
    """A context manager: inside, the server answers on its ports."""

    name: ClassVar[str]
    logs_in: ClassVar[bool] = True
    """False for a server that takes mail without TLS and log-in only."""
    why_not: ClassVar[str] = ""

    def __init__(self, place: Place) -> None:
        self.place, self.ports = place, Ports.free()
        self._started: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def configure(self) -> None:
        """Write what it needs into the place's folder."""

    @abstractmethod
    def commands(self) -> list[list[str]]:
        """Programs that stay in the foreground; the server itself is the last one."""

    def environment(self) -> dict[str, str]:
        """What it is started with besides the environment of this process."""
        return preload.environment(sync_us=self.place.sync_us) if self.place.sync_us else {}

    @abstractmethod
    def taken(self) -> int:
        """Messages that it has taken and not lost: those in its queue, and those that it has delivered."""

    def __enter__(self) -> Self:
        self.configure()
        try:
            *helpers, server = self.commands()
            for command in helpers:
                self._start(command)
            self._start([*self.place.wrapper, *server])
            for port in self.answering():
                self._await_banner(port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started):
            if process.poll() is None:
                # strace does not hand the signal on: its first child is the server
                wrapped = self.place.wrapper and process is self._started[-1]
                os.kill(tree(process.pid)[1 if wrapped else 0], signal.SIGTERM)
        for process in reversed(self._started):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._started.clear()

    def answering(self) -> list[int]:
        """The ports that must answer before it counts as started."""
        return [self.ports.plain, self.ports.starttls] if self.logs_in else [self.ports.plain]

    @property
    def pids(self) -> list[int]:
        """Of the programs that were started; see processes.tree."""
        return [process.pid for process in self._started]

    def _start(self, command: list[str]) -> None:
        with (self.place.folder / "output").open("ab") as output:
            self._started.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=os.environ | self.environment(),
                )
            )

    def _await_banner(self, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS) as client:
                    if client.recv(4) == b"220 ":
                        client.sendall(b"QUIT\r\n")
                        client.recv(256)
                        return
            except OSError:
                pass
            ended = any(process.poll() is not None for process in self._started)
            if ended or time.monotonic() > deadline:
                output = (self.place.folder / "output").read_text(errors="replace")
                raise RuntimeError(f"{self.name} does not answer: {output[-800:]}")
            time.sleep(0.02)
