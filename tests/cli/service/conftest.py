"""A router with everything that op25b runs there, between customers and the Internet."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from op25b.cli import policyfile
from op25b.store import Store, upgrade
from op25b.store.audit import By
from op25b.subscribers.exemptions.desk import Desk
from op25b.subscribers.exemptions.request import Asked
from op25b.subscribers.exemptions.transitions import Kind, Step
from op25b.subscribers.leases import all_holders
from tests.support.running import PROGRAM, Running
from tests.support.streets import Streets, streets

POLICY = """
[provider]
name = "netlaputa"
display = { ja = "ラピュタ", en = "Laputa" }
time_zone = "Asia/Tokyo"
[[own_servers]]
name = "mail"
hosts = ["mail.netlaputa.example"]
addresses = ["192.0.2.25"]
ports = [587, 465]
[[pools]]
name = "lines"
prefixes = ["198.18.0.0/25"]
[[phases]]
name = "all"
mode = "enforce"
scope = {}
[exemption_terms]
offered = true
contact = "desk@netlaputa.example"
[watch]
open_attempts = 3
"""
CONFIG = """
policy = "policy.toml"
store = "sqlite:///{folder}/op25b.db"
{keys}
[enforcer]
socket = "enforcer"
[follower]
enforcer = "enforcer"
[watch]
enforcer = "enforcer"
[leases]
[[leases.listen]]
address = "127.0.0.1"
[[leases.clients]]
prefix = "127.0.0.1"
secret_file = "secret"
[api]
tokens_file = "tokens"
{tables}
"""
SECRET = "a secret of the tests"


class Host(Running):
    """`op25b serve` on the router; `op25b` runs other commands there."""

    def __init__(self, folder: Path, streets: Streets) -> None:
        super().__init__(folder, 9525, program=(*streets.inside, *PROGRAM))
        self.streets = streets
        self.store = f"sqlite:///{folder}/op25b.db"
        (folder / "secret").write_text(SECRET)
        (folder / "secret").chmod(0o600)
        (folder / "tokens").touch(0o600)
        (folder / "policy.toml").write_text(POLICY)
        self.configure()
        upgrade(self.store)
        self.op25b("apply", str(folder / "policy.toml"), "--state", str(folder / "state"))

    def configure(self, keys: str = "", tables: str = "") -> None:
        self.config.write_text(CONFIG.format(folder=self.folder, keys=keys, tables=tables))

    def op25b(self, *arguments: str) -> str:
        done = subprocess.run([*self.program, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, path: str) -> str:
        done = subprocess.run(
            [*self.streets.inside, "curl", "-s", f"http://127.0.0.1:{self.health}{path}"],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    def states(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/healthz"))
        return found

    def radius(self, status: str, subscriber: str, address: str, session: str = "s1") -> None:
        """An accounting report as an access server sends it; waits for the answer."""
        assert self.asks(status, subscriber, address, session)

    def asks(self, status: str, subscriber: str, address: str, session: str = "s1", secret: str = SECRET) -> bool:
        """The same; whether there was an answer."""
        pairs = (
            f"User-Name={subscriber},Acct-Status-Type={status},Acct-Session-Id={session},"
            f"NAS-Identifier=bng1,Framed-IP-Address={address}"
        )
        done = subprocess.run(
            [*self.streets.inside, "radclient", "-x", "-r", "1", "-t", "5", "127.0.0.1:1813", "acct", secret],
            input=pairs, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return "Received Accounting-Response" in done.stdout

    @contextmanager
    def reports_of_others(self, count: int) -> Iterator[Callable[[], int]]:
        """So many Starts under way, each sent again until it is answered; gives how many were, at the end."""
        starts = (
            f"User-Name=other{number},Acct-Status-Type=Start,Acct-Session-Id=other{number},"
            f"NAS-Identifier=bng2,Framed-IP-Address=198.18.0.{number % 200 + 20}"
            for number in range(count)
        )
        file = self.folder / "starts"
        file.write_text("\n\n".join(starts))
        command = [
            "radclient",
            "-x",
            "-p",
            "4",
            "-r",
            "30",
            "-t",
            "1",
            "-f",
            str(file),
            "127.0.0.1:1813",
            "acct",
            SECRET,
        ]
        said = subprocess.PIPE
        with subprocess.Popen([*self.streets.inside, *command], stdout=said, stderr=said, text=True) as client:
            out = ""
            yield lambda: out.count("Received Accounting-Response")
            out, _ = client.communicate(timeout=60)

    def holders(self, start: str) -> int:
        """How many addresses that begin so are held."""
        store = Store(self.store)
        with store.read() as connection:
            found = sum(prefix.startswith(start) for prefix in all_holders(connection, datetime.now(UTC)))
        store.close()
        return found

    def grant(self, subscriber: str) -> int:
        """An exemption, from the request to the approval; its number."""
        with self._desk() as desk:
            asked = Asked(Kind.SUBSCRIBER, subscriber, None, "a mail server")
            number = desk.request(asked, self._by()).id
            desk.review(number, self._by(), lambda _: [])
            return desk.approve(number, self._by(), {}).id

    def revoke(self, number: int) -> None:
        with self._desk() as desk:
            desk.close(number, Step.REVOKE, self._by())

    @contextmanager
    def _desk(self) -> Iterator[Desk]:
        store = Store(self.store)
        try:
            yield Desk(store, policyfile.policy(self.folder / "policy.toml"))
        finally:
            store.close()

    def _by(self) -> By:
        return By("desk", datetime.now(UTC), "tests")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with streets() as made:
        yield Host(tmp_path, made)
