"""The fields that op25b adds: Received (RFC 5321 4.4), Date and Message-ID (RFC 6409 8.2, 8.3). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

_NAME = re.compile(r"[A-Za-z0-9.-]+|\[[A-Za-z0-9.:]+\]")


@dataclass(slots=True)  # frozen ones take three times as long to make
class Trace:
    """What a Received field tells. `cipher`: IANA's name, "" without TLS; `recipient`: the only one, else ""."""

    helo: str
    address: str
    protocol: str
    cipher: str
    recipient: str


def protocol(esmtp: bool, utf8: bool, tls: bool, authenticated: bool) -> str:
    """The word after `with`: RFC 3848 and, for messages that need SMTPUTF8, RFC 6531 4.3."""
    if not esmtp:
        return "SMTP"
    return ("UTF8SMTP" if utf8 else "ESMTP") + "S" * tls + "A" * authenticated


def received(trace: Trace, hostname: str, queue_id: str, at: datetime, hide: bool) -> bytes:
    """The whole field, folded, with CRLF. With `hide` it tells neither the client's address nor its name.

    The `tls` clause: RFC 8314 4.3, for which RFC 5321's grammar has its place after `for`.
    """
    lines = [f"Received: {'from customer' if hide else _client(trace)}"]
    lines.append(f"by {hostname} with {trace.protocol} id {queue_id}")
    if trace.recipient:
        lines.append(f"for <{trace.recipient}>")
    if trace.cipher:
        lines.append(f"tls {trace.cipher}")
    # an address may hold UTF-8 (RFC 6531 3.7.3)
    return ("\r\n\t".join(lines) + f";\r\n\t{date(at)}\r\n").encode("utf-8", "replace")


def date(at: datetime) -> str:
    """RFC 5322 3.3."""
    return _to_the_second(at.replace(microsecond=0))


@lru_cache(maxsize=4)
def _to_the_second(at: datetime) -> str:
    return format_datetime(at)


def missing(has_date: bool, has_message_id: bool, hostname: str, queue_id: str, at: datetime) -> bytes:
    """The fields that a submitted message must have and does not."""
    found = b"" if has_date else f"Date: {date(at)}\r\n".encode("ascii")
    return found if has_message_id else found + f"Message-ID: <{queue_id}@{hostname}>\r\n".encode()


def _client(trace: Trace) -> str:
    name = trace.helo if _NAME.fullmatch(trace.helo) else "unknown"
    literal = f"IPv6:{trace.address}" if ":" in trace.address else trace.address
    return f"from {name} ([{literal}])"
