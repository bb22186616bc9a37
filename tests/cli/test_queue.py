"""`queue`: what waits, and what an operator has done with it. The relay is not running; the spool is a real one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from op25b.submission.spool.envelope import Envelope, Origin, Recipient
from op25b.submission.spool.marks import Mark, State
from op25b.submission.spool.reader import Reader
from op25b.submission.spool.writer import Spool
from tests.cli.conftest import Op25b

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def spooled(folder: Path, *recipients: tuple[str, ...], account: str = "alice") -> list[str]:
    async def fill() -> list[str]:
        spool = Spool.open(folder, "worker", clock=lambda: NOW)
        ids = []
        for number, to in enumerate(recipients):
            origin = Origin("192.0.2.7", "ESMTPSA", "pc", account, "TLSv1.3")
            arrived = NOW + timedelta(minutes=number)
            envelope = Envelope(f"{account}@example.net", tuple(map(Recipient, to)), arrived, origin)
            async with spool.begin(envelope) as entry:
                entry.write(b"Subject: secret\r\n\r\nx\r\n")
                ids.append(await entry.commit())
        await spool.close()
        return ids

    return asyncio.run(fill())


@contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    made = Reader.open(folder, exclusive=True)
    made.scan()
    yield made
    made.close()


def test_list(op25b: Op25b, tmp_path: Path) -> None:
    first, second = spooled(tmp_path, ("bob@example.com", "carol@example.com"), ("dave@example.com",))
    until = NOW + timedelta(hours=1)
    with reader(tmp_path) as relay:
        relay.mark(
            [
                Mark(first, "bob@example.com", State.DELIVERED, NOW),
                Mark(first, "carol@example.com", State.DEFERRED, NOW, "4.2.0 450 greylisted", until),
            ]
        )
    data = op25b("queue", "list", "--spool", tmp_path, "--json").data
    assert [(each["queue_id"], each["state"]) for each in data] == [(first, "deferred"), (second, "waiting")]
    assert data[0]["origin"] == {
        "address": "192.0.2.7", "account": "alice", "helo": "pc", "protocol": "ESMTPSA", "tls": "TLSv1.3",
    }  # fmt: skip
    assert data[0]["recipients"][1] == {
        "address": "carol@example.com",
        "state": "deferred",
        "attempts": 1,
        "last": NOW.isoformat(),
        "until": until.isoformat(),
        "detail": "4.2.0 450 greylisted",
    }
    lines = op25b("queue", "list", "--spool", tmp_path).out.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[0] == first
    assert "carol@example.com" in lines[1]
    assert "bob" not in lines[1]
    assert "greylisted" in lines[1]


def test_show_tells_all_but_the_content(op25b: Op25b, tmp_path: Path) -> None:
    [queue_id] = spooled(tmp_path, ("bob@example.com",))
    shown = op25b("queue", "show", queue_id, "--spool", tmp_path)
    for words in ("alice@example.net", "192.0.2.7", "bob@example.com", queue_id):
        assert words in shown.out
    assert "secret" not in shown.out
    assert op25b("queue", "show", queue_id, "--spool", tmp_path, "--json").data["queue_id"] == queue_id


def test_hold_release_retry_drop(op25b: Op25b, tmp_path: Path) -> None:
    first, second = spooled(tmp_path, ("bob@example.com",), ("dave@example.com",))

    def states() -> dict[str, str]:
        return {each["queue_id"]: each["state"] for each in op25b("queue", "list", "--spool", tmp_path, "--json").data}

    held = op25b("queue", "hold", first, "--reason", "looks like a bot", "--spool", tmp_path, "--json")
    assert held.data == [first]
    assert states() == {first: "held", second: "waiting"}
    assert "looks like a bot" in op25b("queue", "list", "--spool", tmp_path).out
    assert op25b("queue", "retry", "--all", "--spool", tmp_path, "--json").data == [second]
    assert op25b("queue", "release", "--all", "--spool", tmp_path, "--json").data == [first]
    assert states() == {first: "waiting", second: "waiting"}
    assert op25b("queue", "drop", first, "--spool", tmp_path).out == "dropped: 1 message\n"
    assert states() == {second: "waiting"}


@pytest.mark.parametrize("command", ["retry", "hold", "release", "drop", "show"])
def test_an_unknown_message_changes_nothing(op25b: Op25b, tmp_path: Path, command: str) -> None:
    [queue_id] = spooled(tmp_path, ("bob@example.com",))
    ids = ["NONE-1"] if command == "show" else [queue_id, "NONE-1"]
    result = op25b("queue", command, *ids, "--spool", tmp_path)
    assert result.status == 2
    assert "NONE-1" in result.err
    assert queue_id not in result.err
    assert [each["state"] for each in op25b("queue", "list", "--spool", tmp_path, "--json").data] == ["waiting"]


def test_a_long_queue_comes_in_pages(op25b: Op25b, tmp_path: Path) -> None:
    ids = spooled(tmp_path, *((f"u{number}@example.com",) for number in range(250)))

    def listed(*options: str) -> list[str]:
        return [line.split()[0] for line in op25b("queue", "list", "--spool", tmp_path, *options).out.splitlines()[1:]]

    assert listed() == ids[:100]
    assert "1 to 100 of 250" in op25b("queue", "list", "--spool", tmp_path).err
    assert listed("--skip", "200") == ids[200:]
    assert listed("--skip", "240", "--limit", "5") == ids[240:245]
    assert listed("--limit", "0") == ids
    assert op25b("queue", "list", "--spool", tmp_path, "--limit", "0").err == ""
    # a script gets all unless it says otherwise
    assert len(op25b("queue", "list", "--spool", tmp_path, "--json").data) == 250
    assert len(op25b("queue", "list", "--spool", tmp_path, "--json", "--limit", "7").data) == 7
    assert listed("--skip", "300") == []


def test_what_messages_have_in_common(op25b: Op25b, tmp_path: Path) -> None:
    one, two = spooled(tmp_path, ("bob@example.com",), ("carol@Example.ORG", "bob@example.com"))
    [three] = spooled(tmp_path, ("dave@example.org",), account="eve")
    with reader(tmp_path) as relay:
        relay.mark(
            [Mark(two, "carol@Example.ORG", State.DELIVERED, NOW), Mark(three, None, State.HELD, NOW, "stolen?")]
        )

    def ids(command: str, *options: str) -> set[str]:
        data = op25b("queue", command, *options, "--spool", tmp_path, "--json").data
        return {each if isinstance(each, str) else each["queue_id"] for each in data}

    assert ids("list", "--account", "eve") == {three}
    assert ids("list", "--to", "@example.com") == {one, two}
    assert ids("list", "--to", "@example.org") == {three}, "carol is done"
    assert ids("list", "--sender", "Alice@example.net") == {one, two}
    assert ids("list", "--state", "held") == {three}
    assert ids("list", "--state", "waiting", "--account", "eve") == set()
    assert ids("hold", "--account", "alice") == {one, two}
    assert ids("release", "--to", "bob@example.com") == {one, two}
    assert ids("retry", "--sender", "@example.net") == {one, two}
    assert ids("drop", "--state", "held") == {three}
    assert ids("list") == {one, two}


def test_show_tells_when_it_is_tried_again_and_given_up(op25b: Op25b, tmp_path: Path) -> None:
    [queue_id] = spooled(tmp_path, ("bob@example.com", "carol@example.com"))
    until = NOW + timedelta(minutes=5)

    def shown() -> tuple[str | None, str]:
        data = op25b("queue", "show", queue_id, "--spool", tmp_path, "--json").data
        return data["next_attempt"], data["gives_up"]

    end = (NOW + timedelta(days=5)).isoformat()
    assert shown() == (None, end)
    with reader(tmp_path) as relay:
        relay.mark([Mark(queue_id, "bob@example.com", State.DEFERRED, NOW, "4.2.0 450 later", until)])
    assert shown() == (None, end), "carol is due"
    with reader(tmp_path) as relay:
        later = until + timedelta(minutes=1)
        relay.mark([Mark(queue_id, "carol@example.com", State.DEFERRED, NOW, "4.2.0 450 later", later)])
    assert shown() == (until.isoformat(), end)
    text = op25b("queue", "show", queue_id, "--spool", tmp_path).out
    assert "0:05:00 at least and 3:00:00 at most, give or take 20%" in text
    assert "bounced after 5 days" in text


def test_nothing_in_common_with_anything(op25b: Op25b, tmp_path: Path) -> None:
    spooled(tmp_path, ("bob@example.com",))
    assert op25b("queue", "drop", "--spool", tmp_path).status == 2
    assert op25b("queue", "drop", "--account", "nobody", "--spool", tmp_path).out == "dropped: 0 messages\n"
    assert op25b("queue", "hold", "--all", "--account", "alice", "--spool", tmp_path).status == 2


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_a_spool_that_is_somebody_elses(op25b: Op25b, tmp_path: Path) -> None:
    spooled(tmp_path, ("bob@example.com",))
    os.seteuid(65534)
    try:
        result = op25b("queue", "list", "--spool", tmp_path)
    finally:
        os.seteuid(0)
    assert result.status == 3
    assert "run as root" in result.err


@pytest.mark.parametrize("command", ["retry", "hold", "release"])
def test_all_or_some_but_not_both(op25b: Op25b, tmp_path: Path, command: str) -> None:
    for arguments in ([], ["X-1", "--all"]):
        result = op25b("queue", command, *arguments, "--spool", tmp_path)
        assert result.status == 2
        assert "--all" in result.err


def test_no_spool(op25b: Op25b, tmp_path: Path) -> None:
    result = op25b("queue", "list", "--spool", tmp_path / "none")
    assert result.status == 2
    assert str(tmp_path / "none") in result.err
    assert not (tmp_path / "none").exists()
