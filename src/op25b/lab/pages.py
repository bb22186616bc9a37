"""The provider's pages in the lab: `op25b serve` with the customers' portal and the desks' console, on their own host.

From this machine's loopback they are reached through a customer of the lab, whose page is seen then.
"""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from pathlib import Path

from op25b.lab import forwarding, service
from op25b.lab.hosts import Lab
from op25b.lab.service import STORE

NAME = "portal"
PORT, CONSOLE_PORT = 9580, 9581
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
"""


def begin(lab: Lab, policy: str) -> service.Starting:
    """Write the files, and start it."""
    folder = lab.files / NAME
    (folder / "etc").mkdir(parents=True)
    (folder / "policy.toml").write_text(policy)
    (folder / "service.toml").write_text(service_toml(lab.plan.pages))
    return service.Starting.begin(lab, NAME, NAME)


def open_here(lab: Lab, host: str) -> list[int]:
    """Ports of this machine's loopback, of the portal and of the console, for as long as the lab is up."""
    inside = lab.plan.host(NAME).addresses[0]
    with ExitStack() as stack:
        listening = [stack.enter_context(_listening(port)) for port in (PORT, CONSOLE_PORT)]
        arguments = [
            str(each)
            for one, port in zip(listening, (PORT, CONSOLE_PORT), strict=True)
            for each in (one.fileno(), inside, port)
        ]
        program = [sys.executable, "-I", "-S", str(Path(forwarding.__file__)), *arguments]
        lab.spawn(host, program, [one.fileno() for one in listening])
        return [one.getsockname()[1] for one in listening]


def _listening(port: int) -> socket.socket:
    """On this port, or on any other that is free."""
    try:
        return socket.create_server((_LOOPBACK, port))
    except OSError:
        return socket.create_server((_LOOPBACK, 0))
