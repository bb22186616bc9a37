"""A host that keeps Postfix: a real one in a network namespace of its own, configured by `op25b integrate postfix`."""

from __future__ import annotations

import io
import os
import shutil
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

import pytest

from op25b.cli.main import run as op25b
from tests.support.service import PASSWORD, POLICY, USER, Service, eventually
from tests.support.trio import Namespace

installed = pytest.mark.skipif(shutil.which("postfix") is None, reason="needs Postfix: apt install postfix")
_NOBODY = 65534

SERVER = "127.0.0.1"
CUSTOMER = "192.0.2.65"
CUSTOMER6 = "2001:db8::65"
"""In the policy's pool."""
ELSEWHERE = "198.51.100.7"
"""In nobody's."""
LINES = POLICY.replace("127.0.0.2/32", "192.0.2.64/26")

_BASE = """\
compatibility_level = 3.6
inet_interfaces = all
mydestination =
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file_prefixes = {folder}
maillog_file = {folder}/log
alias_maps =
alias_database =
disable_dns_lookups = yes
smtpd_peername_lookup = no
# whatever is let through, to wherever, is delivered into one Maildir
virtual_mailbox_domains = netlaputa.example
default_transport = virtual:
virtual_mailbox_base = {folder}
virtual_mailbox_maps = inline:{{nobody@netlaputa.example=, taro@netlaputa.example=inbox/, @elsewhere.example=inbox/}}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
in_flow_delay = 0
"""
_SERVICES = """\
25 inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
showq unix n - n - - showq
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class PostfixHost:
    """Postfix on ports 25, 587 and 465, and `op25b serve --only postfix` beside it. Use as a context manager."""

    def __init__(self, folder: Path, table: str = "", **service: object) -> None:
        self.folder = Path(mkdtemp(prefix="postfix-", dir="/var/tmp"))
        sockets = self.folder / "queue" / "op25b"
        table = table or f'auth = "{sockets}/auth"\npolicy = "{sockets}/policy"\n'
        tables = f"{service.pop('tables', '')}\n[postfix]\n{table}"
        service.setdefault("policy", LINES)
        self.op25b = Service(folder, tables=tables, parts=("--only", "postfix"), **service)  # type: ignore[arg-type]
        self.namespace = Namespace()

    def __enter__(self) -> Self:
        run = self.namespace.run
        run("ip", "link", "set", "lo", "up")
        for address in (f"{CUSTOMER}/32", f"{ELSEWHERE}/32", f"{CUSTOMER6}/128"):
            run("ip", "address", "add", address, "dev", "lo")
        self._make_folders()
        self.op25b.__enter__()
        self.configure()
        try:
            self.postfix("start")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["postfix", "-c", self.etc, "stop"], check=False, capture_output=True)
        self.op25b.__exit__()
        self.namespace.close()
        shutil.rmtree(self.folder)

    @property
    def etc(self) -> Path:
        return self.folder / "etc"

    def _make_folders(self) -> None:
        for name in ("etc", "queue", "data", "queue/op25b"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.folder / "queue" / "op25b", None, "postfix")
        (self.folder / "queue" / "op25b").chmod(0o2750)
        os.chown(self.folder, _NOBODY, _NOBODY)  # virtual(8) makes the mailbox as that user
        self.folder.chmod(0o755)

    def configure(self) -> None:
        """What op25b prints goes in as it is."""
        base = {"main.cf": _BASE.format(folder=self.folder), "master.cf": _SERVICES}
        for name, text in base.items():
            printed = io.StringIO()
            options = ["--file", name, "--queue", str(self.folder / "queue")]
            with redirect_stdout(printed):
                assert op25b(["integrate", "postfix", str(self.op25b.config), *options]) == 0
            (self.etc / name).write_text(text + printed.getvalue())
            os.utime(self.etc / name, (0, 0))  # Postfix waits for files that have just changed

    def postfix(self, word: str) -> str:
        return self.namespace.run("postfix", "-c", str(self.etc), word)

    def postconf(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["postconf", "-c", self.etc, *options], check=True, capture_output=True, text=True)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def swaks(self, *options: str, port: int = 587, source: str = ELSEWHERE) -> subprocess.CompletedProcess[str]:
        tls = "--tls-on-connect" if port == 465 else "--tls"
        inside = ["nsenter", f"--net=/proc/self/fd/{self.namespace.fd}", "--"]
        command = ["swaks", "--server", SERVER, "--port", str(port), "--local-interface", source, tls, *options]
        return subprocess.run(
            [*inside, *command], capture_output=True, text=True, timeout=30, check=False, pass_fds=[self.namespace.fd]
        )

    def connect(self, port: int, source: str = ELSEWHERE) -> socket.socket:
        return self.namespace.inside(
            lambda: socket.create_connection((SERVER, port), timeout=30, source_address=(source, 0))
        )

    @contextmanager
    def customer(self, user: str = USER, source: str = ELSEWHERE) -> Iterator[smtplib.SMTP]:
        """A client that is logged in over 587."""
        with self.client(587, source) as client:
            client.starttls(context=self.op25b.client_tls)
            client.login(user, PASSWORD)
            yield client

    def client(self, port: int, source: str = ELSEWHERE) -> smtplib.SMTP:
        """A client that is connected."""
        server = "::1" if ":" in source else SERVER
        return self.namespace.inside(lambda: smtplib.SMTP(server, port, timeout=30, source_address=(source, 0)))

    def delivered(self, mark: bytes) -> bytes:
        """The message with a mark in it, as soon as it is in the Maildir."""
        new = self.folder / "inbox" / "new"

        def found() -> list[bytes]:
            messages = [path.read_bytes() for path in new.iterdir()] if new.exists() else []
            return [message for message in messages if mark in message]

        eventually(lambda: found() != [])
        (message,) = found()
        return message

    def held(self) -> list[str]:
        """Queue ids of the messages on hold."""
        return sorted(path.name for path in (self.folder / "queue" / "hold").glob("*") if path.is_file())
