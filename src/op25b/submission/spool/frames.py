r"""How messages stand in a log, and how they are found again.

A log is text around bodies. First a line `op25b-spool 1 TOKEN`, then for each message

    message TOKEN CRC {"id": ..., "size": ..., "crc": ..., "from": ..., ...}\n
    BODY\n

CRC is the CRC-32 of the JSON, the field `crc` that of the body, both in hexadecimal. A body that stands in a file
of its own (`"file": true`) is not in the log. TOKEN is drawn at random for each run of a worker, so that no body,
whatever its sender wrote into it, and no old block of the disk can pass for a message of this log when its reader
looks for the next whole one after a damaged place.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

VERSION = b"op25b-spool 1 "
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole message at bytes `start` to `end` of its log; its body, if inside, begins at `body`."""

    start: int
    body: int
    end: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bad:
    """Bytes `start` to `end` of a log that are no whole message."""

    start: int
    end: int


def first_line(token: str) -> bytes:
    return VERSION + token.encode() + b"\n"


def token_of(log: bytes) -> str | None:
    """The token of a log, None if it does not begin as one of this version."""
    line, newline, _ = log[:200].partition(b"\n")
    if not newline or not line.startswith(VERSION):
        return None
    return line[len(VERSION) :].decode("ascii", "replace")


def encode(token: str, fields: dict[str, Any], body: list[bytes] | None) -> bytes:
    """A message for the log; `body` None: it stands in a file. `fields` has id, size, crc and the envelope."""
    text = _encode(fields if body is not None else {**fields, "file": True}).encode()
    line = b"message %s %08x %s\n" % (token.encode(), zlib.crc32(text), text)
    return line if body is None else b"".join([line, *body, b"\n"])


def scan(data: bytes, token: str, offset: int) -> Iterator[Frame | Bad]:
    """All that stands in `data`, the bytes of a log from `offset` on, in order and without gaps."""
    begin = b"message %s " % token.encode()
    at = 0
    while at < len(data):
        frame = _parse(data, at, begin, offset)
        if frame is None:
            start, at = at, _next_whole(data, at, begin)
            yield Bad(start + offset, at + offset)
        else:
            yield frame
            at = frame.end - offset


def _next_whole(data: bytes, at: int, begin: bytes) -> int:
    """Where the first whole message after `at` begins."""
    while (at := data.find(begin, at + 1)) >= 0:
        if _parse(data, at, begin, 0):
            return at
    return len(data)


def _parse(data: bytes, at: int, begin: bytes, offset: int) -> Frame | None:
    if not data.startswith(begin, at):
        return None
    crc_at = at + len(begin)
    newline = data.find(b"\n", crc_at)
    text = data[crc_at + 9 : newline]
    if newline < 0 or data[crc_at : crc_at + 9] != b"%08x " % zlib.crc32(text):
        return None
    fields: dict[str, Any] = json.loads(text)
    body = newline + 1
    if fields.get("file"):
        return Frame(at + offset, body + offset, body + offset, fields)
    end = body + fields["size"]
    if data[end : end + 1] != b"\n" or zlib.crc32(memoryview(data)[body:end]) != int(fields["crc"], 16):
        return None
    return Frame(at + offset, body + offset, end + 1 + offset, fields)
