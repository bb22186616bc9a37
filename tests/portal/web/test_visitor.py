"""Whose address it is, behind proxies that are trusted and others that are not."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from starlette.requests import Request

from op25b.portal.web.visitor import Header, Proxies

TRUSTED = [ip_network("127.0.0.0/8"), ip_network("2001:db8:ffff::/64")]


def seen(peer: str | None, header: Header, *lines: str, other: str = "") -> str | None:
    fields = [(header.encode(), line.encode()) for line in lines]
    if other:
        name = b"forwarded" if header == "x-forwarded-for" else b"x-forwarded-for"
        fields.append((name, other.encode()))
    scope = {"type": "http", "headers": fields, "client": peer and (peer, 1234)}
    found = Proxies(TRUSTED, header).visitor(Request(scope))
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("peer", "lines", "visitor"),
    [
        ("198.18.0.1", [], "198.18.0.1"),
        ("::ffff:198.18.0.1", [], "198.18.0.1"),
        ("2001:db8::1", [], "2001:db8::1"),
        ("198.18.0.1", ["192.0.2.9"], "198.18.0.1"),  # a stranger's word
        ("127.0.0.1", ["192.0.2.9"], "192.0.2.9"),
        ("127.0.0.1", ["10.9.9.9, 192.0.2.9"], "192.0.2.9"),  # what the stranger had written stands before it
        ("127.0.0.1", ["10.9.9.9", "192.0.2.9, 127.0.0.3"], "192.0.2.9"),
        ("2001:db8:ffff::1", ["2001:db8::7"], "2001:db8::7"),
        ("127.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("127.0.0.1", ["192.0.2.9:4711"], "192.0.2.9"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["unknown"], None),
        ("127.0.0.1", ["192.0.2.9, "], None),
        ("127.0.0.1", ["fe80::1%eth0"], None),
        ("testclient", [], None),
        (None, [], None),
    ],
)
def test_x_forwarded_for(peer: str | None, lines: list[str], visitor: str | None) -> None:
    assert seen(peer, "x-forwarded-for", *lines) == visitor


@pytest.mark.parametrize(
    ("line", "visitor"),
    [
        ("for=192.0.2.9", "192.0.2.9"),
        ('For="[2001:db8::7]:4711";proto=https', "2001:db8::7"),
        ("proto=https; for=192.0.2.9;by=127.0.0.1", "192.0.2.9"),
        ("for=10.9.9.9, for=192.0.2.9", "192.0.2.9"),
        ("for=_hidden", None),
        ("for=unknown", None),
        ("by=192.0.2.9", None),
    ],
)
def test_forwarded(line: str, visitor: str | None) -> None:
    assert seen("127.0.0.1", "forwarded", line) == visitor


def test_the_other_field_is_not_looked_at() -> None:
    assert seen("127.0.0.1", "x-forwarded-for", "192.0.2.9", other="for=10.9.9.9") == "192.0.2.9"
    assert seen("127.0.0.1", "forwarded", "for=192.0.2.9", other="10.9.9.9") == "192.0.2.9"
