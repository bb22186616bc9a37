"""Who sent what: lines that stay when the mail has left, and go when the policy says so."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from op25b.submission.spool import Envelope, Origin, Reader, Recipient, Spool
from op25b.submission.spool.marks import Mark, State
from op25b.submission.spool.segment import Message
from op25b.submission.trace import FOLDER, Trace, search

NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


def _spooled(folder: Path, *arrivals: datetime, origin: Origin | None = None) -> Sequence[Message]:
    async def fill() -> None:
        spool = Spool.open(folder, "worker", clock=lambda: NOW)
        for arrived in arrivals:
            to = (Recipient("Bob@example.com"), Recipient("carol@example.com"))
            made = origin or Origin("192.0.2.7", "ESMTPSA", "pc", "alice", "TLSv1.3")
            async with spool.begin(Envelope("alice@example.net", to, arrived, made)) as entry:
                entry.write(b"Subject: secret\r\n\r\nx\r\n")
                await entry.commit()
        await spool.close()

    asyncio.run(fill())
    return Reader.open(folder, exclusive=False).scan().new


def _found(folder: Path, what: str | None, since: datetime | None = None, until: datetime | None = None) -> list[str]:
    return [line.queue_id for line in search(folder, what, since, until)]


def test_a_message_is_found_by_all_that_names_it(tmp_path: Path) -> None:
    messages = _spooled(tmp_path, NOW, NOW + timedelta(hours=1))
    Trace(tmp_path, 90).write(messages)
    first, second = (message.queue_id for message in messages)
    for what in ("alice", "ALICE@example.net", "192.0.2.7", "bob@example.com", "carol@example.com"):
        assert _found(tmp_path, what) == [first, second]
    assert _found(tmp_path, first) == [first]
    for what in ("ali", "example.com", "192.0.2.70", "x", "", "secret"):
        assert _found(tmp_path, what) == []
    assert _found(tmp_path, None, NOW, NOW + timedelta(hours=1)) == [first]
    assert _found(tmp_path, "alice", NOW + timedelta(minutes=1)) == [second]
    (line,) = search(tmp_path, first, None, None)
    assert (line.account, line.address, line.sender) == ("alice", "192.0.2.7", "alice@example.net")
    files = sorted((tmp_path / FOLDER).iterdir())
    assert [path.name for path in files] == ["2026-03-01.jsonl", "2026-03-02.jsonl"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert "secret" not in files[0].read_text()


def test_days_go_when_their_time_is_over_and_not_before(tmp_path: Path) -> None:
    trace = Trace(tmp_path, 2)
    trace.write(_spooled(tmp_path, NOW, NOW + timedelta(days=1)))
    (tmp_path / FOLDER / "notes.jsonl").write_text("not ours\n")
    trace.forget(NOW + timedelta(days=2))
    assert len(_found(tmp_path, "alice")) == 2
    trace.forget(NOW + timedelta(days=2, hours=1))
    assert len(_found(tmp_path, "alice")) == 1
    trace.forget(NOW + timedelta(days=9))
    assert os.listdir(tmp_path / FOLDER) == ["notes.jsonl"]


def test_a_policy_that_keeps_nothing(tmp_path: Path) -> None:
    messages = _spooled(tmp_path, NOW)
    Trace(tmp_path, 90).write(messages)
    none = Trace(tmp_path, 0)
    none.write(messages)
    none.forget(NOW)
    assert _found(tmp_path, "alice") == []


def test_what_a_full_disk_cut_off_spoils_no_other_line(tmp_path: Path) -> None:
    messages = _spooled(tmp_path, NOW, NOW, NOW)
    trace = Trace(tmp_path, 90)
    trace.write(messages[:2])
    (file,) = (tmp_path / FOLDER).iterdir()
    os.truncate(file, file.stat().st_size - 5)
    trace.write(messages[2:])
    assert _found(tmp_path, "alice") == [messages[0].queue_id, messages[2].queue_id]


def test_reports_and_what_was_tried_before_are_not_written_again(tmp_path: Path) -> None:
    _spooled(tmp_path, NOW, origin=Origin("", "local"))
    tried = _spooled(tmp_path, NOW)[-1]
    tried.status.apply(Mark(tried.queue_id, "Bob@example.com", State.DEFERRED, NOW), 1)
    Trace(tmp_path, 90).write([*_spooled(tmp_path)[:1], tried])
    assert _found(tmp_path, None) == []
