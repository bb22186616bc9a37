"""A running lab: commands in its hosts, recordings at their interfaces, the mailboxes of its servers."""

from __future__ import annotations

import email
import email.message
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from op25b.errors import Missing
from op25b.lab.holder import WORK
from op25b.lab.namespaces import entering, environment
from op25b.lab.plan import LabPlan
from op25b.lab.records import Record
from op25b.lab.servers import Service
from op25b.lab.wire import OPEN_SOCKET, Recording

_POLL_SECONDS = 0.01
_READY_SECONDS = 10.0


@dataclass(frozen=True)
class Mailbox:
    """The Maildir of one mail server."""

    path: Path

    def find(self, token: str, field: str = "Message-ID") -> email.message.Message | None:
        """The delivered message in whose header field the token stands, or None."""
        for file in self.path.glob("new/*"):
            octets = file.read_bytes()
            if token.encode() in octets and token in (message := email.message_from_bytes(octets)).get(field, ""):
                return message
        return None

    def wait(self, token: str, seconds: float, field: str = "Message-ID") -> email.message.Message | None:
        """Like find, but gives a message on its way that long to arrive."""
        deadline = time.monotonic() + seconds
        while (found := self.find(token, field)) is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return found


@dataclass(frozen=True)
class Lab:
    """mail_program: `postfix`, or `stand-in` where Postfix cannot run."""

    name: str
    plan: LabPlan
    record: Record
    mail_program: str

    @property
    def files(self) -> Path:
        """The lab's work directory (`holder.WORK` inside it), seen from outside."""
        return work_directory(self.record)

    @property
    def read_by_pop(self) -> tuple[Service, ...]:
        """Own servers on which customers read their mail: Dovecot, too, wants user ids that a user without root does
        not have."""
        return tuple(each for each in self.plan.services if each.pop) if self.mail_program == "postfix" else ()

    @property
    def has_freeradius(self) -> bool:
        """Without it the edge reports to op25b itself."""
        return self.mail_program == "postfix"

    @property
    def authority(self) -> str:
        """Path, inside the lab, of the certificate that the mail servers' certificates are checked with."""
        return f"{WORK}/authority.pem"

    def command(self, host: str, command: Sequence[str]) -> list[str]:
        """What to execute so that `command` runs in a host. Raises KeyError for an unknown host."""
        return [*entering(self.record, self.plan.host(host).name), *command]

    def run(
        self, host: str, command: Sequence[str], *, seconds: float = 30, input: str = "", check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a host to its end; output and errors come together in stdout.

        Raises subprocess.TimeoutExpired when it does not end in time (it is killed then), and
        subprocess.CalledProcessError with `check` when its exit status is not 0.
        """
        return _run(self.command(host, command), seconds, input, check)

    def spawn(self, host: str, command: Sequence[str], descriptors: Sequence[int] = ()) -> None:
        """Start a program that stays up until the lab ends, and inherits `descriptors`; returns once it has written
        `ready`. Raises Missing with what it wrote instead.
        """
        # setsid makes it a child of the lab's first process: it neither waits for us nor we for it.
        detached = self.command(host, ["setsid", "--fork", *command])
        with subprocess.Popen(
            detached, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment(), pass_fds=descriptors,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                raise Missing(f"{command[0]} did not start in {host}: {process.stdout.read().decode()}")

    @contextmanager
    def recording(self, host: str = "edge") -> Iterator[Recording]:
        """Records what passes the host's interfaces, from before the block is entered on."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            opener = [sys.executable, "-I", "-S", "-c", OPEN_SOCKET, str(theirs.fileno())]
            subprocess.run(self.command(host, opener), check=True, pass_fds=[theirs.fileno()], timeout=_READY_SECONDS)
            _, (descriptor,), _, _ = socket.recv_fds(ours, 1, 1)
        recording = Recording(socket.socket(fileno=descriptor))
        try:
            yield recording
        finally:
            recording.close()

    def mailbox(self, server: str) -> Mailbox:
        """The mailbox of a mail server, by its name in the plan (`foreign`, `own0`, ...)."""
        return Mailbox(self.files / server / "inbox")

    @contextmanager
    def beside(self, host: str, command: Sequence[str]) -> Iterator[None]:
        """A program that runs in a host while the block does, until its standard input ends; from when it has written
        `ready` on."""
        with subprocess.Popen(
            self.command(host, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield
            finally:
                process.stdin.close()

    def change(self, host: str, batch: str) -> None:
        """Have ip(8) carry out some lines in a host."""
        self.run(host, ["ip", "-batch", "-"], input=batch, check=True)

    def add_address(self, host: str, address: str) -> None:
        """Give a host one more address: another one of its pool's prefixes, all of which are routed to it."""
        quick = ["nodad"] if ":" in address else []
        self.run(host, ["ip", "address", "replace", address, "dev", "eth0", *quick], check=True)


def work_directory(record: Record) -> Path:
    return Path(f"/proc/{record.holder}/root{WORK}")


def run_inside(
    record: Record, command: Sequence[str], *, seconds: float, input: str = ""
) -> subprocess.CompletedProcess[str]:
    """Like Lab.run, but in no host of its own: in the namespace that the lab is built from."""
    return _run([*entering(record), *command], seconds, input, check=True)


def _run(command: Sequence[str], seconds: float, input: str, check: bool) -> subprocess.CompletedProcess[str]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", env=environment(), start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate(input, timeout=seconds)
        except BaseException:
            # nsenter waits for a child of its own, so the whole group has to go.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    if check and process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return subprocess.CompletedProcess(command, process.returncode, output)
