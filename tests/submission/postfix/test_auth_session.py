"""The server's side of Dovecot's authentication protocol, octet by octet."""

from __future__ import annotations

import base64
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.submission.postfix.auth_session import (
    LINE_OCTETS,
    Answer,
    Begin,
    Cancel,
    Request,
    Session,
    Unreadable,
    go_on,
    greeting,
    let_in,
    possible,
    refuse,
)
from op25b.subscribers.dovecot_wire import Malformed

HELLO = b"VERSION\t1\t0\nCPID\t6859\n"
POSTFIX = (
    b"AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.25\trip=198.51.100.7\tsecured\t"
    b"resp=AHRhcm9AbmV0bGFwdXRhLmV4YW1wbGUAeA==\n"
)
"""As Postfix 3.7 sends it."""
PLAIN = b"\0taro@netlaputa.example\0x"


def _asked(*lines: bytes) -> list[Request]:
    return Session().receive(HELLO + b"".join(lines))


def test_what_postfix_asks() -> None:
    assert _asked(POSTFIX) == [Begin(1, "PLAIN", IPv4Address("198.51.100.7"), True, PLAIN)]
    assert "taro" not in repr(_asked(POSTFIX)), "the password is in there"


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b"AUTH\t7\tlogin\n", Begin(7, "LOGIN", IPv4Address(0), False, None)),
        (b"AUTH\t7\tPLAIN\trip=2001:db8::1\tresp=\n", Begin(7, "PLAIN", IPv6Address("2001:db8::1"), False, b"")),
        (b"AUTH\t7\tPLAIN\trip=unknown\tresp==\n", Begin(7, "PLAIN", IPv4Address(0), False, b"")),
        (b"AUTH\t7\tPLAIN\tno-penalty\tresp=!\n", Unreadable(7)),
        (b"CONT\t7\teA==\n", Answer(7, b"x")),
        (b"CONT\t7\t\n", Answer(7, b"")),
        (b"CONT\t7\teA=\n", Unreadable(7)),
        ("CONT\t7\té\n".encode(), Unreadable(7)),
        (b"CANCEL\t7\n", Cancel(7)),
    ],
)
def test_requests(line: bytes, request_: Request) -> None:
    assert _asked(line) == [request_]


def test_what_is_not_known_is_passed_over() -> None:
    assert _asked(b"SOMETHING\tnew\n\n", POSTFIX)[0].number == 1


@pytest.mark.parametrize(
    "data",
    [
        POSTFIX,
        b"VERSION\t2\t0\n",
        b"VERSION\n",
        b"EHLO pc\r\n",
        HELLO + b"AUTH\n",
        HELLO + b"AUTH\tone\tPLAIN\n",
        HELLO + b"AUTH\t-1\tPLAIN\n",
        HELLO + b"AUTH\t12345678901\tPLAIN\n",
        HELLO + "AUTH\t١\tPLAIN\n".encode(),
        HELLO + b"CONT\t1\n",
        HELLO + b"CANCEL\t1\t2\n",
        HELLO + b"x" * (LINE_OCTETS + 1),
    ],
)
def test_what_nobody_says(data: bytes) -> None:
    with pytest.raises(Malformed):
        Session().receive(data)


def test_what_is_answered() -> None:
    mechanisms = possible(("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"))
    assert greeting(mechanisms, 12, 3, bytes(16)) == (
        b"VERSION\t1\t2\nMECH\tSCRAM-SHA-256\tmutual-auth\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
        b"SPID\t12\nCUID\t3\nCOOKIE\t" + b"0" * 32 + b"\nDONE\n"
    )
    assert go_on(1, b"Username:") == b"CONT\t1\tVXNlcm5hbWU6\n"
    assert go_on(1, b"") == b"CONT\t1\t\n"
    assert let_in(4294967295, "taro") == b"OK\t4294967295\tuser=taro\n"
    assert refuse(1, "no") == b"FAIL\t1\treason=no\n"


def test_no_name_can_end_the_line() -> None:
    assert let_in(1, "taro\n1\tOK\tuser=root") == b"OK\t1\tuser=taro\x01n1\x01tOK\x01tuser=root\n"


@given(st.lists(st.integers(0, 400)), st.binary(max_size=100))
def test_split_anyhow_it_is_the_same(cuts: list[int], answer: bytes) -> None:
    whole = HELLO + POSTFIX + b"CONT\t1\t" + base64.b64encode(answer) + b"\nCANCEL\t2\n"
    ends = [*sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    session, found, start = Session(), [], 0
    for end in ends:
        found += session.receive(whole[start:end])
        start = end
    assert found == _asked(whole[len(HELLO) :])


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_request_or_malformed(data: bytes) -> None:
    try:
        Session().receive(HELLO + data + b"\n")
    except Malformed:
        return
