"""What may be posted, and what a stranger at the port cannot do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import CapturingLogger

from op25b.errors import UserError
from op25b.processes import posts
from op25b.submission.driver.pop_reports import CONNECTIONS, OCTETS, LogIn, Reports, read_report, read_secret
from op25b.submission.driver.pop_table import PopTable

AT = datetime(2026, 4, 1, tzinfo=UTC)
HOME = ip_address("203.0.113.5")
SECRET = "0123456789abcdef"
FIELDS = {"user": "Taro", "remote_ip": "203.0.113.5", "service": "pop3", "success": "yes"}


def _event(name: str = "auth_request_finished", **fields: object) -> bytes:
    kept = {key: value for key, value in (FIELDS | fields).items() if value is not None}
    return json.dumps({"event": name, "end_time": "1999-01-01T00:00:00Z", "fields": kept}).encode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (_event(), LogIn("taro", HOME)),
        (_event(service="imap"), LogIn("taro", HOME)),
        (_event(remote_ip="::ffff:203.0.113.5"), LogIn("taro", HOME)),
        (_event(remote_ip="2001:db8::5"), LogIn("taro", ip_address("2001:db8::5"))),
        (_event(success="no"), None),
        (_event(success=None), None),
        (_event(service="smtp"), None),
        (_event(service=["pop3"]), None),
        (_event(master_user="support"), None),
        (_event("auth_request_started"), None),
    ],
)
def test_what_an_event_says(body: bytes, expected: LogIn | None) -> None:
    assert read_report(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"3", b"{}", b'{"fields": 3}', b"[" * OCTETS, b"\xff",
        _event(user=None), _event(user=7), _event(user=""), _event(user="a b"), _event(user="x" * 256),
        _event(remote_ip=None), _event(remote_ip=7), _event(remote_ip="here"), _event(remote_ip="203.0.113.0/24"),
    ],
)  # fmt: skip
def test_what_is_no_event(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_report(body)


@given(st.dictionaries(st.sampled_from(list(FIELDS)), st.none() | st.text() | st.integers() | st.lists(st.text())))
def test_whatever_is_posted(fields: dict[str, Any]) -> None:
    with suppress(ValueError):
        read_report(_event(**fields))


class Door:
    """A listener, and what it has noted."""

    def __init__(self, port: int, pops: PopTable, lines: list[Any]) -> None:
        self.port, self._pops, self.lines = port, pops, lines

    async def ask(self, *parts: bytes) -> bytes:
        """What is answered until the listener closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"".join(parts))
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    def noted(self) -> list[str]:
        return list(self._pops.names(HOME, AT, timedelta(minutes=1)))


def _post(body: bytes, path: bytes = b"/" + SECRET.encode(), more: bytes = b"") -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s" % (path, more, len(body), body)


def _with(work: Callable[[Door], Awaitable[None]]) -> None:
    async def main() -> None:
        pops, log = PopTable(4), CapturingLogger()
        reports = Reports(SECRET, pops, log, lambda: AT, asyncio.get_running_loop().time)
        server = await asyncio.start_server(reports.connected, "127.0.0.1", 0, limit=OCTETS)
        async with asyncio.timeout(20), server:
            await work(Door(server.sockets[0].getsockname()[1], pops, log.calls))

    asyncio.run(main())


def test_several_events_over_one_connection() -> None:
    async def work(door: Door) -> None:
        answer = await door.ask(_post(_event()), _post(_event(user="hanako")), _post(_event(success="no", user="jiro")))
        assert answer == b"HTTP/1.1 204 No Content\r\n\r\n" * 3
        assert sorted(door.noted()) == ["hanako", "taro"]

    _with(work)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (_post(_event(), b"/"), b"404"),
        (_post(_event(), b"/" + SECRET[:-1].encode()), b"404"),
        (_post(_event(), b"/%s/" % SECRET.encode()), b"404"),
        (_post(_event(), b"/" + b"x" * OCTETS), b"431"),
        (_post(_event()).replace(b"POST", b"PUT"), b"400"),
        (_post(_event()).replace(b"Content-Length", b"X"), b"400"),
        (_post(b"x" * (OCTETS + 1)), b"413"),
        (_post(b"{}"), b"400"),
        (b"\r\n\r\n", b"404"),
        (b"\xff" * 100 + b"\r\n\r\n", b"404"),
        (_post(_event())[:-1], b""),
        (b"", b""),
    ],
)
def test_what_is_refused(request_: bytes, status: bytes) -> None:
    async def work(door: Door) -> None:
        # what follows on the same connection is not taken either
        assert (await door.ask(request_, _post(_event()) if status else b""))[9:12] == status
        assert door.noted() == []
        assert SECRET not in repr(door.lines)

    _with(work)


def test_the_log_cannot_be_filled() -> None:
    async def work(door: Door) -> None:
        for _ in range(5):
            await door.ask(_post(_event(), b"/guess"))
        assert len(door.lines) == 1

    _with(work)


def test_who_reports_stays_when_others_fill_the_house() -> None:
    async def work(door: Door) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(_post(_event()))
        await reader.readuntil(b"\r\n\r\n")
        others = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(CONNECTIONS)]
        assert await others[0][0].read() == b""
        writer.write(_post(_event(user="hanako")))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 204 No Content\r\n\r\n"
        for _, each in (*others, (reader, writer)):
            each.close()

    _with(work)


def test_who_says_nothing_must_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(posts, "REPORT_SECONDS", 0.05)

    async def work(door: Door) -> None:
        for said in (b"", b"POST", _post(_event())[:-1]):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(said)
            assert await reader.read() == b""
            writer.close()

    _with(work)


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (f"{SECRET}\n", 0o640, None),
        (f"{SECRET}\n", 0o644, "everybody on this host can read it"),
        ("too_short", 0o600, "not a secret of 16"),
        ("with space 12345678", 0o600, "not a secret of 16"),
        ("日本語日本語日本語日本語", 0o600, "not ASCII"),
        (None, 0o600, "cannot be read (No such file"),
    ],
)
def test_the_secret_s_file(tmp_path: Path, content: str | None, mode: int, words: str | None) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    if words is None:
        assert read_secret(path) == SECRET
        return
    with pytest.raises(UserError) as raised:
        read_secret(path)
    assert words in str(raised.value)
    assert content is None or content.strip() not in str(raised.value)
