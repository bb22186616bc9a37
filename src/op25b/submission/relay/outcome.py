"""What became of one recipient in one attempt, from the next hop's reply (RFC 5321 4.2, RFC 3463)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")


class Result(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status`: enhanced status code (RFC 3463). `text`: the reply as one line, or what went wrong here.

    `remote`: the next hop's name if it was its reply. `dsn_passed_on`: the next hop took over the DSN options.
    `rejected`: it is this recipient that the next hop does not take, not the message. `code`: the reply code, where a
    reply means what it says. `doubtful`: the next hop may have the message all the same.
    """

    result: Result
    status: str
    text: str
    remote: str | None = None
    dsn_passed_on: bool = False
    rejected: bool = False
    code: int | None = None
    doubtful: bool = False

    @property
    def nowhere(self) -> bool:
        """There is no such recipient: its host says so, or its domain takes no mail (RFC 3463: 5.1.x)."""
        return self.result is Result.FAILED and (self.rejected or self.status.startswith("5.1."))


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the next hop. `lines` without code and line ends."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join([str(self.code), *(line for line in self.lines if line)])


def of_reply(reply: Reply, remote: str, *, dsn_passed_on: bool = False) -> Outcome:
    """The outcome that a final reply to RCPT, DATA or the message means.

    An enhanced code of another class than the reply's is not believed; a code outside 2yz, 4yz, 5yz defers.
    """
    result = {2: Result.DELIVERED, 5: Result.FAILED}.get(reply.code // 100, Result.DEFERRED)
    number = {Result.DELIVERED: "2", Result.DEFERRED: "4", Result.FAILED: "5"}[result]
    enhanced = _ENHANCED.match(reply.lines[0]) if reply.lines else None
    status = enhanced[0] if enhanced and enhanced[1] == number else f"{number}.0.0"
    return Outcome(result, status, reply.text, remote, dsn_passed_on and result is Result.DELIVERED, code=reply.code)


def deferred(status: str, text: str, remote: str | None = None) -> Outcome:
    return Outcome(Result.DEFERRED, status, text, remote)


def failed(status: str, text: str, remote: str | None = None) -> Outcome:
    return Outcome(Result.FAILED, status, text, remote)
