"""Who sent what: from a message back to account and address, for as long as the policy keeps it.

One line a message, in one file a day (UTC, of arrival) beneath the spool. The relay writes it when it first sees the
message, before anything leaves: taking mail in waits for nothing, and nothing goes out untraced. The spool has the
message until then, and a line that a loss of power took is in the log. Headers' facts only, never the content.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from op25b.submission.spool.segment import Message

FOLDER = "trace"
"""Beneath the spool."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message. `arrived`: ISO 8601 with an offset; `account` None: nobody logged in; `size` in octets."""

    queue_id: str
    arrived: str
    account: str | None
    address: str
    protocol: str
    sender: str
    recipients: tuple[str, ...]
    size: int

    @classmethod
    def of(cls, message: Message) -> Line:
        envelope, origin = message.envelope, message.envelope.origin
        return cls(
            message.queue_id,
            envelope.arrived.isoformat(),
            origin.account,
            origin.address,
            origin.protocol,
            envelope.sender,
            tuple(to.address for to in envelope.recipients),
            message.size,
        )

    def names(self, what: str) -> bool:
        """True if `what` is its queue id, its account, its address, its sender or one of its recipients."""
        wanted = what.casefold()
        return what == self.queue_id or wanted in {
            text.casefold() for text in (self.account or "", self.address, self.sender, *self.recipients)
        }


class Trace:
    """The files of one spool, for its one relay. A day's file is kept until `days` whole days lie between."""

    def __init__(self, spool: Path, days: int) -> None:
        self._folder, self._days = spool / FOLDER, days

    def write(self, messages: Iterable[Message]) -> None:
        """A line for each that is new, and came from somewhere: reports of the relay's own did not. Raises OSError."""
        by_day: dict[date, list[str]] = {}
        for message in messages if self._days else ():
            # what was tried before was written down before
            if message.envelope.origin.address and not any(each.state for each in message.status.recipients.values()):
                day = message.envelope.arrived.astimezone(UTC).date()
                by_day.setdefault(day, []).append(json.dumps(asdict(Line.of(message)), ensure_ascii=False))
        for day, lines in by_day.items():
            self._append(self._folder / f"{day}.jsonl", lines)

    def forget(self, now: datetime) -> None:
        """Removes what is older than the policy's days. Raises OSError."""
        first = now.astimezone(UTC).date() - timedelta(days=self._days)
        for path in _files(self._folder):
            if date.fromisoformat(path.stem) < first or not self._days:
                path.unlink(missing_ok=True)

    def _append(self, path: Path, lines: list[str]) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        # the line end comes first, so that what a full disk cut off spoils no other line
        left = memoryview("".join(f"\n{line}" for line in lines).encode())
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            while left:
                left = left[os.write(fd, left) :]
        finally:
            os.close(fd)


def search(spool: Path, what: str | None, since: datetime | None, until: datetime | None) -> Iterator[Line]:
    """The lines of what arrived from `since` until before `until`, by day; see `Line.names`. Raises OSError.

    A message may have two lines, if the relay was killed when it had only just seen it.
    """
    for path in _files(spool / FOLDER):
        day = datetime.combine(date.fromisoformat(path.stem), datetime.min.time(), UTC)
        if (until is not None and day >= until) or (since is not None and day + timedelta(days=1) <= since):
            continue
        with path.open(encoding="utf-8") as file:
            yield from wanted(_lines(file, what), what, since, until)


def wanted(lines: Iterable[Line], what: str | None, since: datetime | None, until: datetime | None) -> Iterator[Line]:
    """Those of these lines that `search` would give."""
    for line in lines:
        arrived = datetime.fromisoformat(line.arrived)
        in_time = (since is None or since <= arrived) and (until is None or arrived < until)
        if in_time and (what is None or line.names(what)):
            yield line


def _lines(texts: Iterable[str], what: str | None) -> Iterator[Line]:
    """Those that may name it: most lines are of other messages, and reading JSON is slow."""
    part = "" if what is None else json.dumps(what, ensure_ascii=False)[1:-1].casefold()
    for text in texts:
        if part in text.casefold() and (line := _read(text)) is not None:
            yield line


def _read(text: str) -> Line | None:
    try:
        fields = json.loads(text)
        return Line(**fields | {"recipients": tuple(fields["recipients"])})
    except (ValueError, TypeError, KeyError):
        return None


def _files(folder: Path) -> list[Path]:
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        with suppress(ValueError):
            date.fromisoformat(path.stem)
            found.append(path)
    return found
