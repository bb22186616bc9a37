"""op25b: `op25b serve` with its own store and accounts, one worker for each processor, no caps."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from smtpload import DOMAIN, PASSWORD

from mailservers.server import HOST, Server
from op25b.submission.spool import Reader

POLICY = f"""
home_servers = "smart-host"
[provider]
name = "netlaputa"
display = {{ ja = "ラピュタ", en = "Laputa" }}
time_zone = "Asia/Tokyo"
[[provider.brands]]
name = "netlaputa"
display = {{ ja = "ラピュタ", en = "Laputa" }}
domains = ["{DOMAIN}"]
[[own_servers]]
name = "mail"
hosts = ["{HOST}"]
addresses = ["127.0.0.1", "::1"]
ports = [25, 587, 465]
[[pools]]
name = "lines"
prefixes = ["127.0.0.0/8", "2001:db8::/32"]
[[phases]]
name = "all"
mode = "enforce"
scope = {{}}
"""

CONFIG = """
policy = "policy.toml"
store = "sqlite:///{folder}/op25b.db"
[submission]
hostname = "{host}"
server = "mail"
spool = "spool"
[[submission.certificates]]
certificate = "{certificate}"
key = "{key}"
[[submission.listen]]
address = "127.0.0.1"
port = {ports.plain}
role = "relay"
[[submission.listen]]
address = "127.0.0.1"
port = {ports.starttls}
[[submission.listen]]
address = "127.0.0.1"
port = {ports.implicit}
tls = "implicit"
[submission.limits.address]
connections = 0
messages_per_hour = 0
recipients_per_hour = 0
[submission.limits.account]
connections = 0
messages_per_hour = 0
messages_per_day = 0
recipients_per_hour = 0
recipients_per_day = 0
[submission.limits.stolen]
recipients = 0
networks = 0
[health]
port = {health}
"""

SMART_HOST = """
[relay.smart_host]
host = "127.0.0.1"
port = {port}
"""


class Op25b(Server):
    name = "op25b"

    def configure(self) -> None:
        place = self.place
        (place.folder / "policy.toml").write_text(POLICY)
        text = CONFIG.format(
            folder=place.folder,
            host=HOST,
            certificate=place.certificate,
            key=place.key,
            ports=self.ports,
            health=type(self.ports).free().plain,
        )
        if place.smart_host is not None:
            text += SMART_HOST.format(port=place.smart_host)
        (place.folder / "service.toml").write_text(text)
        shutil.copy(self._store(), place.folder / "op25b.db")

    def commands(self) -> list[list[str]]:
        only = [] if self.place.smart_host is not None else ["--only", "submission"]
        return [[sys.executable, "-m", "op25b", "serve", f"{self.place.folder}/service.toml", *only]]

    def taken(self) -> int:
        reader = Reader.open(self.place.folder / "spool", exclusive=False)
        try:
            return len(reader.scan().new)
        finally:
            reader.close()

    def _store(self) -> Path:
        """Accounts with argon2id hashes, which take their time to be made."""
        store, users = self.place.shared / f"{self.place.accounts}.db", self.place.shared / "users"
        if not store.exists():
            users.write_text("".join(f"{name}:{{PLAIN}}{PASSWORD}\n" for name in self.place.names))
            self._op25b("account", "import", str(users), "--store", f"sqlite:///{store}")
        return store

    def _op25b(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "op25b", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"op25b {arguments[0]}: {done.stderr[-500:]}")
