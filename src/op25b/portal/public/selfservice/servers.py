"""Where credentials are for."""

from __future__ import annotations

from op25b.policy.model import Policy

_SUBMISSION = (587, 465)


def servers(policy: Policy) -> list[tuple[str, list[int]]]:
    """Names of the sending servers, each with its ports for submission; those named by sub-domain are left out."""
    return [
        (host, [port for port in _SUBMISSION if port in server.ports])
        for server in policy.own_servers
        for host in server.hosts
        if "{" not in host and set(_SUBMISSION) & set(server.ports)
    ]
