"""What the relay must know of a message's content: its header fields, what it asks of the next hop, loops. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_LINE = 998
"""Octets of a line without its CRLF that every host takes (RFC 5321 4.5.3.1.6)."""

MAX_RECEIVED = 100
"""Received fields of a message that loops (RFC 5321 6.3)."""

MAX_OWN = 5
"""Passes through this host of a message that loops: forwarding may bring a message back honestly, but not so often."""

_LINE_ENDS = re.compile(rb"\r\n|\r|\n")
_FIELD = re.compile(rb"(?m)^([\x21-\x39\x3b-\x7e]+)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)\r\n")
_COMMENT = re.compile(r"\([^()]*\)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_DOMAIN = re.compile(r"@\s*([^\s<>,;:\"()@]+)")


@dataclass(frozen=True, slots=True)
class Header:
    """A field. `name` in lower case, `value` as it stands, folds included, without the last line end."""

    name: bytes
    value: bytes


def normalised(message: bytes) -> bytes:
    """With CRLF line ends only, and one at the end, and lines of MAX_LINE: what goes out, and so what is signed."""
    if b"\n" in message.replace(b"\r\n", b"") or b"\r" in message.replace(b"\r\n", b""):
        message = _LINE_ENDS.sub(b"\r\n", message)
    if message and not message.endswith(b"\r\n"):
        message += b"\r\n"
    if _has_short_lines(message):
        return message
    return b"\r\n".join(line if len(line) <= MAX_LINE else _folded(line) for line in message.split(b"\r\n"))


def _has_short_lines(message: bytes) -> bool:
    # from line end to line end in strides as long as a line may be
    start, stride = 0, MAX_LINE + 2
    while len(message) - start > stride:
        end = message.rfind(b"\n", start, start + stride)
        if end < 0:
            return False
        start = end + 1
    return True


def _folded(line: bytes) -> bytes:
    """Lines that go on with a blank: the line's own where there is one, so that no word is cut, or else one more.

    Header fields stay what they are that way (RFC 5322 2.2.3), and HTML reads as before.
    """
    parts, start, blank = [], 0, b""
    while len(line) - start > MAX_LINE - len(blank):
        end = start + MAX_LINE - len(blank)
        at = max(line.rfind(b" ", start + 1, end + 1), line.rfind(b"\t", start + 1, end + 1))
        own = at > 0 and line[start:at].strip()
        if not own:  # there is none, but for those that it begins with
            at = _before_character(line, end)
        parts.append(blank + line[start:at])
        start, blank = at, b"" if own else b" "
    return b"\r\n".join([*parts, blank + line[start:]])


def _before_character(line: bytes, at: int) -> int:
    """`at`, or where the UTF-8 sequence begins that it is within (RFC 3629 3: at most 4 octets)."""
    start = at
    while start > at - 4 and line[start] & 0xC0 == 0x80:
        start -= 1
    return start if start > at - 4 else at


def split(message: bytes) -> tuple[bytes, bytes]:
    """Header fields (with the last one's CRLF) and body, without the empty line between."""
    if message.startswith(b"\r\n"):
        return b"", message[2:]
    end = message.find(b"\r\n\r\n")
    return (message, b"") if end < 0 else (message[: end + 2], message[end + 4 :])


def headers(head: bytes) -> list[Header]:
    """The fields in their order; lines that are none are passed over."""
    return [Header(found[1].lower(), found[2]) for found in _FIELD.finditer(head)]


def domain_of_from(fields: Sequence[Header]) -> str:
    """The domain of the (first) author in lower case; "" if there is none."""
    for field in fields:
        if field.name == b"from":
            text = _COMMENT.sub("", _QUOTED.sub("q", field.value.decode("utf-8", "replace")))
            found = _DOMAIN.search(text)
            return found[1].rstrip(".").lower() if found else ""
    return ""


def loops(fields: Sequence[Header], own_names: frozenset[str]) -> str | None:
    """Why the message is taken for one that loops; None: it is not. `own_names` in lower case."""
    received = [field.value for field in fields if field.name == b"received"]
    if len(received) > MAX_RECEIVED:
        return f"too many hops: {len(received)} Received fields"
    own = sum(_by(value) in own_names for value in received)
    return f"mail loop: passed through this host {own} times" if own > MAX_OWN else None


def has_eight_bit(message: bytes) -> bool:
    return not message.isascii()


def _by(received: bytes) -> str:
    found = re.search(rb"(?:^|\s)by\s+([^\s;()]+)", received, re.IGNORECASE)
    return found[1].decode("ascii", "replace").lower() if found else ""
