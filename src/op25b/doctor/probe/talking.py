"""An SMTP dialogue of bounded length and time, with whoever answers."""

from __future__ import annotations

import os
import re
import socket
import ssl
import time
from typing import NamedTuple

CONNECT_SECONDS = 5.0
LINE_BYTES, REPLY_LINES = 1024, 50


class Deadline:
    """An instant by which all must be over."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self, most: float = 60.0) -> float:
        """Raises socket.timeout when nothing is."""
        seconds = min(most, self._at - time.monotonic())
        if seconds <= 0:
            raise socket.timeout
        return seconds


class NotSmtp(Exception):
    """The other side does not keep to the protocol."""


class Talk:
    """One SMTP dialogue (RFC 5321), of bounded length and time."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket, self._deadline, self._buffer = connection, deadline, b""

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """TLS from here on. What came before it in the clear is forgotten (RFC 3207 4.2)."""
        self._buffer = b""
        self._socket.settimeout(self._deadline.left())
        self._socket = context.wrap_socket(self._socket, server_hostname=host)

    def ask(self, command: str) -> tuple[int, list[str]]:
        self._socket.settimeout(self._deadline.left())
        self._socket.sendall(command.encode() + b"\r\n")
        return self.reply()

    def reply(self) -> tuple[int, list[str]]:
        """The code and the text of each line, stripped of all that is not printable ASCII."""
        lines = []
        for _ in range(REPLY_LINES):
            line = self._line()
            if not re.match(rb"[2-5][0-9][0-9]([ -]|$)", line):
                raise NotSmtp
            lines.append(printable(line[4:]))
            if line[3:4] != b"-":
                return int(line[:3]), lines
        raise NotSmtp

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > LINE_BYTES:
                raise NotSmtp
            self._socket.settimeout(self._deadline.left())
            received = self._socket.recv(LINE_BYTES)
            if not received:
                raise ConnectionResetError
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def close(self) -> None:
        self._socket.close()


def printable(octets: bytes) -> str:
    """What a stranger sent, safe on a terminal: no controls, nothing but ASCII, not long."""
    return "".join(chr(octet) for octet in octets if 32 <= octet < 127)[:200]


class Trust(NamedTuple):
    """How certificates are checked; `checks` is False where this Python knows no authorities at all."""

    context: ssl.SSLContext
    checks: bool

    @classmethod
    def default(cls) -> Trust:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        paths = ssl.get_default_verify_paths()
        checks = bool(
            context.cert_store_stats()["x509_ca"] or paths.cafile or (paths.capath and os.listdir(paths.capath))
        )
        if not checks:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return cls(context, checks)
