"""Postfix's policy delegation (SMTPD_POLICY_README), the server's side: octets in, requests out. Pure."""

from __future__ import annotations

REQUEST_OCTETS = 65536
"""Longest request. Postfix's own attributes come to some thousand octets, a client's certificate included."""


class Malformed(Exception):
    """What came is no request: the other side does not speak this protocol."""


class Requests:
    """Cuts what arrives into requests."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[dict[str, str]]:
        """The attributes of each request that is whole now. Raises Malformed."""
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        if any(len(octets) > REQUEST_OCTETS for octets in (*whole, self._rest)):
            raise Malformed(f"a request of more than {REQUEST_OCTETS} octets")
        return [_attributes(octets) for octets in whole]


def _attributes(octets: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in octets.decode(errors="replace").split("\n"):
        name, equals, value = text.partition("=")
        if not equals:
            raise Malformed("a line without =")
        found.setdefault(name, value)
    if found.get("request") != "smtpd_access_policy":
        raise Malformed("no request for an access policy")
    return found


def action(text: str) -> bytes:
    """The answer: an action of access(5)."""
    return b"action=" + " ".join(text.split()).encode() + b"\n\n"
