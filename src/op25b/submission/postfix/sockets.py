"""The sockets that Postfix connects to. The supervisor makes them, so that they outlive the process that answers."""

from __future__ import annotations

import socket
from pathlib import Path

from op25b.processes import listening
from op25b.submission.config import Postfix
from op25b.submission.postfix.endpoints import is_path, network_endpoint


def opened(postfix: Postfix) -> dict[str, socket.socket]:
    """One listening socket for each of `auth` and `policy` that is configured.

    Raises UserError for a place that is taken, or that Postfix could not reach, Missing for a missing privilege.
    """
    made = {}
    for name in ("auth", "policy"):
        if (endpoint := getattr(postfix, name)) is not None:
            if is_path(endpoint):
                made[name] = listening.unix(Path(endpoint), postfix.group, "postfix.group")
            else:
                made[name] = listening.single(*network_endpoint(endpoint))
    return made


def removed(postfix: Postfix) -> None:
    """Takes the sockets' files away: nothing listens any more."""
    for endpoint in (postfix.auth, postfix.policy):
        if endpoint is not None and is_path(endpoint):
            Path(endpoint).unlink(missing_ok=True)
