"""PLAIN, LOGIN, and what all mechanisms share."""

from __future__ import annotations

import base64
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.submission.sasl import MECHANISMS, Challenge, Channel, Failure, Lookup, Proved, Success, Verify, begin
from op25b.subscribers.scram import derive

NONCE = b"fromserver"
BOUND = Channel({"tls-server-end-point": b"hash"}, plus_offered=True)
KEYS = derive("secret", b"salt", 4096)


@pytest.mark.parametrize(
    ("message", "name", "password"),
    [
        # RFC 4616 section 4, without the authorization identity of its second example
        (b"\0tim\0tanstaaftanstaaf", "tim", "tanstaaftanstaaf"),
        (b"tim\0tim\0tanstaaftanstaaf", "tim", "tanstaaftanstaaf"),
        (b"TIM\0tim\0x", "tim", "x"),
        ("\0花子\0パスワード".encode(), "花子", "パスワード"),
        (b"\0" + b"n" * 255 + b"\0" + b"p" * 1024, "n" * 255, "p" * 1024),
    ],
)
@pytest.mark.parametrize("initial", [True, False])
def test_plain(message: bytes, name: str, password: str, initial: bool) -> None:
    exchange = begin("PLAIN", Channel(), NONCE)
    step = exchange.start(message if initial else None)
    if not initial:
        assert step == Challenge(b"")
        step = exchange.respond(message)
    assert step == Verify(name, password)
    assert exchange.decide(True) == Success(name)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"tim",
        b"\0tim",
        b"\0tim\0",
        b"\0\0x",
        b"\0tim\0x\0",
        b"\0tim\0x\0y",
        b"Ursel\0Kurt\0xipj3plmq",
        b"a b\0tim\0x",
        b"\0tim\0\xff",
        b"\0\xe9\0x",
        b"\0tim\0\xed\xa0\x80",
        b"\0" + b"n" * 256 + b"\0x",
        b"\0n\0" + b"p" * 1025,
        b"x" * 5000,
    ],
)
def test_plain_refuses(message: bytes) -> None:
    assert isinstance(begin("PLAIN", Channel(), NONCE).start(message), Failure)


@pytest.mark.parametrize("initial", [True, False])
def test_login(initial: bool) -> None:
    exchange = begin("LOGIN", Channel(), NONCE)
    step = exchange.start(b"tim" if initial else None)
    if not initial:
        assert step == Challenge(b"Username:")
        step = exchange.respond(b"tim")
    assert step == Challenge(b"Password:")
    assert exchange.respond("pä".encode()) == Verify("tim", "pä")
    assert exchange.decide(False) == Failure("refused")


@pytest.mark.parametrize("messages", [[b""], [b"a\0b"], [b"\xff"], [b"n" * 256], [b"tim", b""], [b"tim", b"\0"]])
def test_login_refuses(messages: list[bytes]) -> None:
    exchange = begin("LOGIN", Channel(), NONCE)
    step = exchange.start(None)
    for message in messages:
        assert isinstance(step, Challenge)
        step = exchange.respond(message)
    assert isinstance(step, Failure)


def test_nothing_goes_on_after_the_end_or_out_of_turn() -> None:
    exchange = begin("PLAIN", Channel(), NONCE)
    with pytest.raises(RuntimeError, match="start is expected"):
        exchange.respond(b"\0a\0b")
    exchange.start(b"\0a\0b")
    with pytest.raises(RuntimeError, match="decide is expected"):
        exchange.supply(KEYS)
    exchange.decide(True)
    for call in (lambda: exchange.decide(True), lambda: exchange.start(None)):
        with pytest.raises(RuntimeError, match="nothing is expected"):
            call()


def test_passwords_are_not_shown() -> None:
    assert "tiger" not in repr(begin("PLAIN", Channel(), NONCE).start(b"\0tim\0tiger"))


def test_an_unknown_mechanism() -> None:
    with pytest.raises(KeyError):
        begin("CRAM-MD5", Channel(), NONCE)


PIECES = [
    b"n,,n=user,r=abc",
    b"y,,n=user,r=abc",
    b"p=tls-server-end-point,,n=user,r=abc",
    b"c=biws,r=abcfromserver,p=" + base64.b64encode(bytes(32)),
    b"\0user\0secret",
    b"user",
    b"",
    b"=2C",
    b"\0",
]


@given(st.sampled_from(MECHANISMS), st.lists(st.binary(max_size=60) | st.sampled_from(PIECES), max_size=6), st.data())
def test_no_client_gets_in_without_a_proof(mechanism: str, messages: list[bytes], data: st.DataObject) -> None:
    """Whatever is sent, in at most four messages there is an end, and it is a success only if the server said yes."""
    exchange, feed, said_yes = begin(mechanism, BOUND, NONCE), iter(messages), False
    try:
        step = exchange.start(data.draw(st.none() | st.sampled_from(PIECES)))
        for _ in range(8):
            match step:
                case Challenge():
                    step = exchange.respond(next(feed, b""))
                case Verify():
                    said_yes = data.draw(st.booleans())
                    step = exchange.decide(said_yes)
                case Lookup():
                    step = exchange.supply(KEYS)
                case Proved(_, proved):
                    assert not proved
                    step = exchange.decide(False)
                case Success() | Failure():
                    break
        else:
            pytest.fail("no end")
    except (RuntimeError, ValueError):
        pytest.fail(traceback.format_exc())
    assert isinstance(step, Failure) or said_yes
