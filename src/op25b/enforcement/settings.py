"""The tables of the service's configuration for the enforcer and the follower."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from op25b.enforcement.generations import STATE
from op25b.policy.table import Table
from op25b.processes.settings import File

SOCKET = Path("/run/op25b/enforcer")


class Enforcer(Table):
    """On a router: the one process that may change the live sets of the filter, as who is allowed asks it to."""

    socket: File = SOCKET
    """Where it listens; only who may write there reaches it."""
    group: str | None = None
    """Whose members may; without it, the group of `user`."""
    users: tuple[str, ...] = Field(default=(), strict=False)
    """Whose processes are served; without it, those of `user`."""
    widest4: Annotated[int, Field(ge=8, le=32)] = 16
    """The shortest prefix that it takes: a mistake elsewhere must not exempt a whole network."""
    widest6: Annotated[int, Field(ge=16, le=128)] = 32


class Follower(Table):
    """On a router: brings what the store says into the filter, at once, and again whenever something was away."""

    enforcer: File = SOCKET
    """The enforcer's socket."""
    name: str | None = None
    """What the console calls this host; without it, the host's own name."""
    state: File = STATE
    """Where `op25b apply` keeps what was applied: the console is told when the kernel holds other rules."""
