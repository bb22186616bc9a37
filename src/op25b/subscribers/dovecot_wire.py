"""The lines of Dovecot's authentication protocol, for either side of it: fields with a TAB between them. Pure.

https://doc.dovecot.org/2.3/developer_manual/design/auth_protocol/ says what the lines are; what would break them is
escaped with \\001 as Dovecot's own `str_tabescape` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LINE_OCTETS = 8192
"""Longest line that Dovecot takes (AUTH_CLIENT_MAX_LINE_LENGTH)."""

_LETTERS = {"\0": "0", "\1": "1", "\t": "t", "\r": "r", "\n": "n"}
_ESCAPED = str.maketrans({char: "\1" + letter for char, letter in _LETTERS.items()})
_CHARS = {letter: char for char, letter in _LETTERS.items()}
_ESCAPE = re.compile("\1(.?)", re.DOTALL)


class Malformed(Exception):
    """What came cannot be cut into lines: the other side does not speak this protocol."""


def line(command: str, *fields: str) -> bytes:
    """One line, its end included; no field can end it or pass for two."""
    return ("\t".join(text.translate(_ESCAPED) for text in (command, *fields)) + "\n").encode()


def fields(octets: bytes) -> list[str]:
    """The fields of a line without its end, the command first. What is no UTF-8 becomes U+FFFD."""
    return [_ESCAPE.sub(_unescaped, part) for part in octets.decode(errors="replace").split("\t")]


def parameters(given: Iterable[str]) -> dict[str, str]:
    """`name=value` fields by name; one without a value (`secured`) has ""."""
    return {name: value for name, _, value in (field.partition("=") for field in given)}


class Lines:
    """Cuts what arrives into lines of `most` octets at most."""

    def __init__(self, most: int = LINE_OCTETS) -> None:
        self._most = most
        self._rest = b""

    def feed(self, data: bytes) -> list[list[str]]:
        """The fields of each line that is whole now. Raises Malformed for a line that is too long."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if any(len(octets) > self._most for octets in (*whole, self._rest)):
            raise Malformed(f"a line of more than {self._most} octets")
        return [fields(octets) for octets in whole]


def _unescaped(match: re.Match[str]) -> str:
    return _CHARS.get(match[1], match[1])
