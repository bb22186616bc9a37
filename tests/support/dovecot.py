"""A real Dovecot for tests, with accounts, a configuration and a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

import pytest
import trustme

from tests.support.service import eventually, free_ports, write_certificate

NEEDED = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="Dovecot's processes give up root"),
    pytest.mark.skipif(shutil.which("dovecot") is None, reason="needs Dovecot: apt install dovecot-pop3d"),
]
SETTINGS = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
protocols = pop3 imap
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
auth_mechanisms = plain login
auth_failure_delay = 0
auth_verbose = yes
passdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail/%u
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service auth {{
  unix_listener {folder}/auth-op25b {{
    mode = 0600
    user = root
  }}
}}
"""

TLS = """
ssl = yes
disable_plaintext_auth = yes
login_trusted_networks = 127.0.0.0/8
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
service pop3-login {{
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"""


@dataclass
class Dovecot:
    """`users`: passwords by name, with the passdb's extra fields after `::::::`. `more`: further settings.

    It can be stopped and started again.
    """

    users: Mapping[str, str]
    more: str = ""
    folder: Path = field(default_factory=lambda: Path(mkdtemp(prefix="dovecot-", dir="/tmp")))
    """Short: the path of a socket may have 107 octets."""

    def __post_init__(self) -> None:
        self.pop3, self.imap, self.pop3s = free_ports(3)
        self.folder.chmod(0o755)
        (self.folder / "mail").mkdir()
        shutil.chown(self.folder / "mail", "nobody")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    @property
    def socket(self) -> Path:
        """Where it checks passwords for root."""
        return self.folder / "auth-op25b"

    def change(self, users: Mapping[str, str]) -> None:
        """Other users; of a running one as well."""
        lines = [f"{name}:{{PLAIN}}{password}\n" for name, password in users.items()]
        (self.folder / "users").write_text("".join(lines))

    def start(self) -> None:
        self.change(self.users)
        (self.folder / "conf").write_text(SETTINGS.format(**vars(self)) + self.more)
        self._process = subprocess.Popen(["dovecot", "-F", "-c", str(self.folder / "conf")], stderr=subprocess.DEVNULL)
        eventually(self._answers)

    def stop(self) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            return
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self._process.terminate()
        self._process.wait(30)
        # those that somebody is connected to would go on for a while
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def read_mail(self, user: str, password: str, source: str, protocol: str = "pop3") -> bool:
        """Log in by POP or IMAP from an address; False if Dovecot did not let it."""
        url = f"{protocol}://127.0.0.1:{getattr(self, protocol)}/"
        done = subprocess.run(
            ["curl", "--silent", "--max-time", "20", "--interface", source, "--user", f"{user}:{password}", url],
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 67), (done, self.log())
        return done.returncode == 0

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            with socket.create_connection(("127.0.0.1", self.pop3), timeout=20) as client:
                return client.recv(3) == b"+OK"
        except OSError:
            return False


def pop_tls(users: Mapping[str, str], authority: trustme.CA) -> Dovecot:
    """One that takes POP passwords over TLS only, as localhost: implicit at `pop3s`, or by STLS at `pop3`."""
    made = Dovecot(users)
    write_certificate(made.folder, authority, "localhost")
    made.more = TLS.format(**vars(made))
    return made
