"""The provider's pages in the lab: `op25b serve` with the customers' portal and the desks' console, on their own host.

From this machine's loopback the portal is reached through a customer of the lab, whose page is seen then.
"""

from __future__ import annotations

import secrets
import socket
import sys
from urllib.parse import parse_qs, urlsplit

from op25b.errors import UserError
from op25b.lab import forwarding, service
from op25b.lab.holder import WORK
from op25b.lab.hosts import Lab
from op25b.lab.service import STORE

NAME = "portal"
PORT, CONSOLE_PORT = 9580, 9581
_KEY = "etc/console-key"
_ROLES = ("network", "mail", "support", "abuse", "manager")
_LOOPBACK = "127.0.0.1"


def service_toml(host: str) -> str:
    """Pure: what `op25b serve` is told; `host`: the name that the pages are found by."""
    return f"""\
policy = "policy.toml"
store = "{STORE}"
[portal]
url = "http://{host}:{PORT}"
addresses = ["0.0.0.0", "::"]
port = {PORT}
[console]
port = {CONSOLE_PORT}
key_file = "{_KEY}"
"""


def begin(lab: Lab, policy: str) -> service.Starting:
    """Write the files, and start it."""
    folder = lab.files / NAME
    (folder / "etc").mkdir(parents=True)
    (folder / "policy.toml").write_text(policy)
    (folder / "service.toml").write_text(service_toml(lab.plan.pages))
    (folder / _KEY).touch(0o600)
    (folder / _KEY).write_text(secrets.token_hex(32) + "\n")
    return service.Starting.begin(lab, NAME, NAME)


def open_portal(lab: Lab, host: str) -> int:
    """A port of this machine's loopback that is the portal as a host of the lab sees it, as long as the lab is up."""
    return _opened(lab, host, str(lab.plan.host(NAME).addresses[0]), PORT)


def open_console(lab: Lab) -> int:
    """A port of this machine's loopback that is the console, as long as the lab is up."""
    return _opened(lab, NAME, _LOOPBACK, CONSOLE_PORT)


def hire(lab: Lab, name: str, password: str) -> str:
    """Let somebody in at the console, with every role; the secret of the one-time codes. Raises UserError."""
    roles = [each for role in _ROLES for each in ("--role", role)]
    key = ["--key", f"{WORK}/{NAME}/{_KEY}", "--store", STORE, "--by", "lab"]
    done = lab.run(NAME, [sys.executable, "-m", "op25b", "staff", "add", name, *roles, *key], input=f"{password}\n")
    if done.returncode:
        raise UserError(f"op25b staff add: {done.stdout.strip()}")
    return parse_qs(urlsplit(done.stdout.split()[-1]).query)["secret"][0]


def _opened(lab: Lab, host: str, address: str, port: int) -> int:
    with _listening(port) as listening:
        arguments = [str(listening.fileno()), address, str(port)]
        lab.spawn(host, [sys.executable, "-I", "-S", forwarding.__file__, *arguments], [listening.fileno()])
        outside: int = listening.getsockname()[1]
        return outside


def _listening(port: int) -> socket.socket:
    """On this port, or on any other that is free."""
    try:
        return socket.create_server((_LOOPBACK, port))
    except OSError:
        return socket.create_server((_LOOPBACK, 0))
