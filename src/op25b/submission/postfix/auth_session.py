"""Dovecot's authentication protocol, the server's side of one connection: lines in, requests out. Pure.

https://doc.dovecot.org/2.3/developer_manual/design/auth_protocol/, version 1.2, as Postfix speaks it
(`smtpd_sasl_type = dovecot`). Parameters of AUTH that are not read here change nothing: `no-penalty`, say, since every
failure is answered after the same time (see `async_login`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from op25b.submission.postfix.endpoints import Address, client_address
from op25b.subscribers.dovecot_wire import Lines, Malformed, line, parameters

LINE_OCTETS = 16384
"""Postfix passes on answers of 12,288 octets (smtpd_sasl_response_limit); one that is too long fails like any other."""
MAJOR = 1
_MINOR = 2
_FLAGS = {"PLAIN": ("plaintext",), "LOGIN": ("plaintext",), "SCRAM-SHA-256": ("mutual-auth",)}
_NUMBER = re.compile("[0-9]{1,10}")


@dataclass(frozen=True)
class Begin:
    """AUTH. `initial`: the initial response, None without one. `secured`: Postfix's client has TLS."""

    number: int
    mechanism: str
    address: Address
    secured: bool
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """CONT: the client's answer to a challenge."""

    number: int
    octets: bytes = field(repr=False)


@dataclass(frozen=True)
class Cancel:
    """CANCEL: the client gives up."""

    number: int


@dataclass(frozen=True)
class Unreadable:
    """AUTH or CONT whose octets are no base64."""

    number: int


Request = Begin | Answer | Cancel | Unreadable


class Session:
    """One connection's."""

    def __init__(self) -> None:
        self._lines = Lines(LINE_OCTETS)
        self.greeted = False
        """The client has said that it speaks this version."""

    def receive(self, data: bytes) -> list[Request]:
        """What is asked for, in order. Raises Malformed: nothing more can be understood of this connection."""
        found = []
        for command, *rest in self._lines.feed(data):
            if (request := self._read(command, rest)) is not None:
                found.append(request)
        return found

    def _read(self, command: str, rest: list[str]) -> Request | None:
        if command == "VERSION":
            if rest[:1] != [str(MAJOR)]:
                raise Malformed(f"version {'.'.join(rest)[:20]!r} where {MAJOR} is spoken")
            self.greeted = True
            return None
        if not self.greeted:
            raise Malformed("no VERSION at the beginning")
        match command, rest:
            case "AUTH", [number, mechanism, *given]:
                return _begin(_number(number), mechanism, given)
            case "CONT", [number, text]:
                octets = _decoded(text)
                return Unreadable(_number(number)) if octets is None else Answer(_number(number), octets)
            case "CANCEL", [number]:
                return Cancel(_number(number))
            case (("AUTH" | "CONT" | "CANCEL"), _):
                raise Malformed(f"{command} with {len(rest)} parameters")
        return None  # CPID, and what later versions may say


def possible(mechanisms: Iterable[str]) -> tuple[str, ...]:
    """Those that go by way of Postfix, which does not tell what its TLS connection could be bound by: no -PLUS."""
    return tuple(name for name in mechanisms if name in _FLAGS)


def greeting(mechanisms: Iterable[str], pid: int, connection: int, cookie: bytes) -> bytes:
    """What a server says first. `connection`: a number of its own for each; `cookie`: 16 octets that nobody guesses."""
    offers = (line("MECH", name, *_FLAGS[name]) for name in mechanisms)
    rest = (line("SPID", str(pid)), line("CUID", str(connection)), line("COOKIE", cookie.hex()), line("DONE"))
    return b"".join((line("VERSION", str(MAJOR), str(_MINOR)), *offers, *rest))


def go_on(number: int, challenge: bytes) -> bytes:
    """CONT: the client's turn."""
    return line("CONT", str(number), base64.b64encode(challenge).decode())


def let_in(number: int, name: str) -> bytes:
    """OK: the client is `name`."""
    return line("OK", str(number), f"user={name}")


def refuse(number: int, reason: str) -> bytes:
    """FAIL. The client sees the reason."""
    return line("FAIL", str(number), f"reason={reason}")


def _begin(number: int, mechanism: str, given: Iterable[str]) -> Begin | Unreadable:
    found = parameters(given)
    initial = None
    if (text := found.get("resp")) is not None:
        initial = _decoded(text)
        if initial is None:
            return Unreadable(number)
    address = client_address(found.get("rip", ""))
    return Begin(number, mechanism.upper(), address, "secured" in found, initial)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Malformed(f"{text[:20]!r} where a request's number is expected")
    return int(text)


def _decoded(text: str) -> bytes | None:
    if text == "=":  # SMTP's word for an empty initial response (RFC 4954 4), which Postfix hands on as it is
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
