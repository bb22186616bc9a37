"""The real service for tests: a policy, a store with accounts, certificates, and `op25b serve` itself."""

from __future__ import annotations

import os
import smtplib
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import argon2
import trustme

from op25b.store import Store, upgrade
from op25b.store.audit import By
from op25b.submission.spool import Envelope, Reader
from op25b.subscribers.accounts import Accounts, New
from op25b.subscribers.passwords import Hasher
from tests.support.running import PROGRAM, Running, free_ports
from tests.support.running import eventually as eventually

HOST = "mail.netlaputa.example"
CUSTOMER = "127.0.0.2"
"""An address of the policy's pool; 127.0.0.1 is nobody's."""
USER, PASSWORD = "taro@netlaputa.example", "himitsu"
MESSAGE = b"From: taro@netlaputa.example\r\nSubject: test\r\n\r\nHello\r\n"

POLICY = """
home_servers = "smart-host"
[provider]
name = "netlaputa"
display = { ja = "ラピュタ", en = "Laputa" }
time_zone = "Asia/Tokyo"
[[provider.brands]]
name = "netlaputa"
display = { ja = "ラピュタ", en = "Laputa" }
domains = ["netlaputa.example"]
[[own_servers]]
name = "mail"
hosts = ["mail.netlaputa.example"]
addresses = ["127.0.0.1", "::1"]
ports = [25, 587, 465]
[[pools]]
name = "lines"
prefixes = ["127.0.0.2/32", "2001:db8::/32"]
[[phases]]
name = "all"
mode = "enforce"
scope = {}
"""

CONFIG = """
policy = "policy.toml"
store = "{store}"
[submission]
hostname = "mail.netlaputa.example"
server = "mail"
spool = "spool"
workers = {workers}
drain_seconds = 5
{submission}
[[submission.certificates]]
certificate = "server.pem"
key = "server.key"
[[submission.listen]]
address = "127.0.0.1"
port = {ports[0]}
[[submission.listen]]
address = "127.0.0.1"
port = {ports[1]}
tls = "implicit"
[[submission.listen]]
address = "127.0.0.1"
port = {ports[2]}
role = "relay"
[health]
port = {ports[3]}
{tables}
"""


def _listening(ports: set[int]) -> set[str]:
    """The sockets, as /proc calls them, that listen at one of the ports, or at any path."""
    tcp = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    paths = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    found = {each[9] for each in tcp if each[3] == "0A" and int(each[1].partition(":")[2], 16) in ports}
    found |= {each[6] for each in paths if each[3] == "00010000"}
    return {f"socket:[{inode}]" for inode in found}


def _sockets(pid: str) -> set[str]:
    found = set()
    with suppress(FileNotFoundError):  # it has just ended
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found.add(os.readlink(each))
    return found


def write_certificate(folder: Path, authority: trustme.CA, *names: str) -> None:
    made = authority.issue_cert(*names)
    made.private_key_pem.write_to_path(folder / "server.key")
    made.cert_chain_pems[0].write_to_path(folder / "server.pem")


@dataclass
class Service(Running):
    """A service that may be started; `submission` and `tables` are lines for its configuration."""

    folder: Path
    workers: int = 1
    submission: str = ""
    tables: str = ""
    policy: str = POLICY
    limits: dict[str, int] = field(default_factory=dict)
    parts: tuple[str, ...] = ("--only", "submission")
    store: str = ""
    """Of a service that shares it with another, which has made it."""
    program: tuple[str, ...] = PROGRAM
    authority: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.ports = free_ports(4)
        super().__init__(self.folder, self.ports[3], self.parts, self.program)
        self.client_tls = ssl.create_default_context()
        self.authority.configure_trust(self.client_tls)
        self.authority.cert_pem.write_to_path(self.folder / "ca.pem")
        write_certificate(self.folder, self.authority, HOST, "127.0.0.1")
        if not self.store:
            self.store = f"sqlite:///{self.folder}/op25b.db"
            make_store(self.store, self.limits)
        self.write_config()

    @property
    def starttls(self) -> int:
        return self.ports[0]

    @property
    def implicit(self) -> int:
        return self.ports[1]

    @property
    def relay(self) -> int:
        return self.ports[2]

    def write_config(self) -> None:
        (self.folder / "policy.toml").write_text(self.policy)
        self.config.write_text(CONFIG.format(**vars(self)))

    def pids(self) -> list[int]:
        """Of the processes that answer clients; without those of the relay and of /healthz, whatever their order."""
        assert self._process is not None
        found = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        mail = _listening(set(self.ports[:3]))
        return [int(pid) for pid in found if mail & _sockets(pid)]

    def spooled(self, folder: str = "spool") -> list[tuple[Envelope, bytes]]:
        """What was taken so far, with each message's bytes."""
        reader = Reader.open(self.folder / folder, exclusive=False)
        return [(each.envelope, each.read()) for each in reader.scan().new]

    def waiting(self, folder: str = "spool") -> int:
        """How many messages are not done. Unlike `spooled`, for while the relay is at work on them."""
        return len(Reader.open(self.folder / folder, exclusive=False).scan().new)

    @contextmanager
    def customer(self, user: str = USER, port: int | None = None) -> Iterator[smtplib.SMTP]:
        """A client that is logged in over 587."""
        with smtplib.SMTP("127.0.0.1", port or self.starttls, timeout=30) as client:
            client.starttls(context=self.client_tls)
            client.login(user, PASSWORD)
            yield client

    @contextmanager
    def suspended(self, name: str) -> Iterator[None]:
        """While an account may do nothing."""
        store = Store(self.store)
        accounts, by = Accounts(store), By("tests", datetime.now(UTC), "tests")
        assert accounts.suspend(name, by)
        try:
            yield
        finally:
            accounts.resume(name, by)
            store.close()


CHEAP = argon2.Parameters(argon2.Type.ID, 19, 16, 32, time_cost=1, memory_cost=8, parallelism=1)


def make_store(url: str, limits: dict[str, int]) -> None:
    """A store with two accounts, Taro's and Hanako's."""
    upgrade(url)
    add_accounts(url, (USER, "hanako@netlaputa.example"), limits)


def add_accounts(url: str, names: Iterable[str], limits: Mapping[str, int], cost: argon2.Parameters = CHEAP) -> None:
    """Accounts that may send as what they are called; each has the same password."""
    secret = Hasher(os.urandom, cost, scram_iterations=4096).make(PASSWORD)
    store = Store(url)
    by = By("tests", datetime.now(UTC), "tests")
    Accounts(store).add([New(name, secret, frozenset({name}), limits) for name in names], by)
    store.close()


class Wire:
    """A bare socket that speaks SMTP: for what no decent client would do."""

    def __init__(self, port: int, source: str = "127.0.0.1", connected: socket.socket | None = None) -> None:
        self.socket: socket.socket = connected or socket.create_connection(
            ("127.0.0.1", port), timeout=30, source_address=(source, 0)
        )
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self) -> bytes:
        """One whole reply; b"" at the end of the connection."""
        lines = [self._file.readline()]
        while lines[-1][3:4] == b"-":
            lines.append(self._file.readline())
        return b"".join(lines)

    def ask(self, command: bytes) -> bytes:
        self.send(command + b"\r\n")
        return self.reply()

    def secure(self, context: ssl.SSLContext) -> None:
        """The handshake, after STARTTLS."""
        self._file.close()
        self.socket = context.wrap_socket(self.socket, server_hostname=HOST)
        self._file = self.socket.makefile("rb")
