"""Clients that send too much, too slowly, or not at all."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from op25b.portal.web import limits
from op25b.portal.web.limits import BODY_OCTETS, Http
from tests.portal.api.conftest import Portal

HEAD = b"POST /exemptions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The store does not matter here."""
    return f"sqlite:///{tmp_path}/op25b.db"


def said(portal: Portal, *parts: bytes) -> bytes:
    """All that the server says to these parts, until it closes or has answered."""
    with socket.create_connection(("127.0.0.1", portal.port), timeout=20) as client:
        for part in parts:
            client.sendall(part)
        answered = b""
        while b"\r\n\r\n" not in answered and (received := client.recv(65536)):
            answered += received
        return answered


def test_a_body_that_is_too_large(portal: Portal) -> None:
    assert b" 413 " in said(portal, HEAD + b"Content-Length: %d\r\n\r\n" % (10**9), b"x" * (BODY_OCTETS + 1))
    chunk = b"%x\r\n%s\r\n" % (BODY_OCTETS // 2, b"x" * (BODY_OCTETS // 2))
    assert b" 413 " in said(portal, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk, chunk)


def test_a_header_that_is_too_large(portal: Portal) -> None:
    assert b" 400 " in said(portal, HEAD + b"X: " + b"x" * 40000)


def test_a_header_that_does_not_come_to_its_end(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Http, "header_seconds", 0.2)
    assert said(portal, HEAD) == b""
    assert said(portal) == b""


def test_a_body_that_does_not_come_to_its_end(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    assert b" 408 " in said(portal, HEAD + b"Content-Length: 100\r\n\r\n{")
    # a large header does not make a small body slow
    assert b" 401 " in said(portal, HEAD + b"Content-Length: 2\r\n\r\n{}")


def test_a_client_that_goes_away_does_no_harm(portal: Portal) -> None:
    for part in (b"", b"P", HEAD, HEAD + b"Content-Length: 100\r\n\r\n{"):
        with socket.create_connection(("127.0.0.1", portal.port)) as client:
            client.sendall(part)
    with portal.client("reader") as client_:
        assert client_.get("/exemptions").status_code == 200
