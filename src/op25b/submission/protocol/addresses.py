"""Paths of MAIL and RCPT (RFC 5321 4.1.2, RFC 6531 3.3)."""

from __future__ import annotations

import ipaddress
import re

from op25b.submission.protocol import replies
from op25b.submission.protocol.replies import Reply

MAX_PATH = 256  # RFC 5321 4.5.3.1.3, with the brackets
MAX_DOMAIN = 255  # RFC 5321 4.5.3.1.2

# Repetitions of characters are possessive, and no two ways lead through those of groups, so that a hostile line costs
# no more than its length. Possessive groups match what they should not in Debian 12's Python (3.11.2).
_UTF8 = "\u00a0-\U0010ffff"
_ATOM = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_UTF8}-]++"
_QUOTED = rf'"(?:[ !#-\[\]-~{_UTF8}]|\\[ -~])*"'
_LOCAL = rf"(?:{_ATOM}(?:\.{_ATOM})*|{_QUOTED})"
_LABEL = rf"[A-Za-z0-9_{_UTF8}]++(?:-++[A-Za-z0-9_{_UTF8}]++)*"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_LITERAL = r"\[[0-9A-Za-z:.-]++\]"
_MAILBOX = rf"{_LOCAL}@(?:{_DOMAIN}|(?P<literal>{_LITERAL}))"
_ROUTE = rf"@{_DOMAIN}(?:,@{_DOMAIN})*:"

_PATH = re.compile(rf"<(?:{_ROUTE})?(?P<address>{_MAILBOX})>|<(?P<short>[A-Za-z]*+)>")
_MAILBOX_ALONE = re.compile(_MAILBOX)


class Refusal(Exception):
    """The command is refused with `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


def read_path(text: str, start: int, bad: Reply) -> tuple[str, int]:
    """The address in the path at `start`, and where the path ends. A source route is left out (RFC 5321 C).

    "" for `<>`, "postmaster" for `<Postmaster>`; whether these may stand here, the caller knows.
    Raises Refusal: `bad` for what is no path.
    """
    match = _PATH.match(text, start)
    if match is None:
        raise Refusal(bad)
    address = match["address"]
    if address is None:
        short: str = match["short"]
        if short and short.lower() != "postmaster":
            raise Refusal(bad)
        return short.lower(), match.end()
    if not _within_limits(address):
        raise Refusal(replies.PATH_TOO_LONG)
    if not _literal_is_sound(match["literal"]):
        raise Refusal(bad)
    return address, match.end()


def is_mailbox(text: str) -> bool:
    """The text is a mailbox: a local part, "@" and a domain or address literal."""
    match = _MAILBOX_ALONE.fullmatch(text)
    return match is not None and _literal_is_sound(match["literal"])


def _within_limits(address: str) -> bool:
    if len(address) * 4 + 2 <= MAX_PATH:  # at most four octets a character: the usual case needs no encoding
        return True
    octets = address.encode()
    return len(octets) + 2 <= MAX_PATH and len(octets) - octets.rindex(b"@") - 1 <= MAX_DOMAIN


def _literal_is_sound(literal: str | None) -> bool:
    """RFC 5321 4.1.3: `[192.0.2.1]` or `[IPv6:2001:db8::1]`."""
    if literal is None:
        return True
    body = literal[1:-1]
    try:
        if body[:5].upper() == "IPV6:":
            ipaddress.IPv6Address(body[5:])
        else:
            ipaddress.IPv4Address(body)
    except ValueError:
        return False
    return True
