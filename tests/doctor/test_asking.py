"""The dialogue with servers that are not as they should be, over real sockets and real TLS."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trustme

from op25b.doctor.probe.asking import Dialogue
from op25b.doctor.probe.outcomes import Outcome, Role, Target, Try
from op25b.doctor.probe.talking import LINE_BYTES, Deadline, NotSmtp, Talk, Trust
from op25b.doctor.probe.trying import asked

HOST = "mail.isp.example"
AUTHORITY = trustme.CA()
Serve = Callable[[socket.socket], None]


def trust(authority: trustme.CA = AUTHORITY) -> Trust:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return Trust(context, True)


def wrapped(connection: socket.socket, name: str = HOST) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(name).configure_cert(context)
    return context.wrap_socket(connection, server_side=True)


@contextmanager
def served(serve: Serve) -> Iterator[socket.socket]:
    """Our end of a connection whose other end is served."""
    ours, theirs = socket.socketpair()

    def work() -> None:
        try:
            with theirs:
                serve(theirs)
        except OSError:
            pass  # we left first

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with ours:
            yield ours
    finally:
        thread.join(10)
        assert not thread.is_alive()


def script(*answers: str, then: Serve | None = None) -> Serve:
    """The first answer at once, each other to a line that comes; then something else, or nothing."""

    def serve(connection: socket.socket) -> None:
        with connection.makefile("rwb", buffering=0) as file:
            for number, answer in enumerate(answers):
                if number and not file.readline():
                    return
                file.write(answer.replace("\n", "\r\n").encode() + b"\r\n")
        if then is not None:
            then(connection)

    return serve


def over_tls(serve: Serve, name: str = HOST) -> Serve:
    return lambda connection: serve(wrapped(connection.dup(), name))


HELLO = "220 mail.isp.example ESMTP"
OFFERS_TLS = "250-mail.isp.example\n250 STARTTLS"
OFFERS_AUTH = "250-mail.isp.example\n250 AUTH PLAIN LOGIN"
BYE = "221 bye"


def examined(serve: Serve, port: int, role: Role = Role.OWN, seconds: float = 5, sender: str = "") -> Try:
    made = Try(Target(role, HOST, port), 4, source="192.0.2.1")
    with served(serve) as connection:
        return asked(made, connection, trust(), sender, Deadline(seconds))


def test_submission_with_starttls() -> None:
    def after_hello(connection: socket.socket) -> None:
        secured = wrapped(connection.dup())
        with secured.makefile("rwb", buffering=0) as file:
            assert file.readline() == b"EHLO [192.0.2.1]\r\n"
            file.write(OFFERS_AUTH.replace("\n", "\r\n").encode() + b"\r\n")
            file.readline()
            file.write(b"221 bye\r\n")

    made = examined(script(HELLO, OFFERS_TLS, "220 go", then=after_hello), 587)
    assert (made.outcome, made.verified) == (Outcome.WORKS, True)
    assert made.mechanisms == ("PLAIN", "LOGIN")


def test_smtps() -> None:
    made = examined(over_tls(script(HELLO, OFFERS_AUTH, BYE)), 465)
    assert (made.outcome, made.name, made.verified) == (Outcome.WORKS, HOST, True)


def test_a_certificate_of_another_name() -> None:
    made = examined(over_tls(script(HELLO), "mail.other.example"), 465)
    assert (made.outcome, made.verified) == (Outcome.INTERCEPTED, False)
    assert "mismatch" in made.detail


def test_a_certificate_of_an_unknown_authority() -> None:
    made = Try(Target(Role.OWN, HOST, 465), 4, source="192.0.2.1")
    with served(over_tls(script(HELLO))) as connection:
        made = asked(made, connection, trust(trustme.CA()), "", Deadline(5))
    assert made.outcome is Outcome.INTERCEPTED


def test_starttls_taken_out() -> None:
    made = examined(script(HELLO, "250-mail.isp.example\n250-XXXXXXXA\n250 AUTH PLAIN", BYE), 587)
    assert (made.outcome, made.mechanisms) == (Outcome.STRIPPED, ())


@pytest.mark.parametrize(
    ("rcpt", "outcome"),
    [
        ("550 5.7.1 relaying denied", Outcome.DENIED),
        ("554 5.7.1 Relay access denied", Outcome.DENIED),
        ("250 2.1.5 ok", Outcome.WORKS),
        ("450 4.2.0 later", Outcome.WORKS),
        ("556 5.1.10 null MX", Outcome.WORKS),
    ],
)
def test_relaying(rcpt: str, outcome: Outcome) -> None:
    made = examined(script(HELLO, "250 mail.isp.example", "250 ok", rcpt, BYE), 25, sender="taro@isp.example")
    assert made.outcome is outcome


def test_others_are_not_asked_to_relay() -> None:
    made = examined(script(HELLO, "250 mail.isp.example", BYE), 25, Role.OTHER)
    assert made.outcome is Outcome.WORKS


@pytest.mark.parametrize(
    "greeting",
    ["421 mail.isp.example busy", "554 no", "HTTP/1.1 400 Bad Request", "", "220", "220-a\n" * 100, "2\x1b20"],
)
def test_not_a_mail_server_in_order(greeting: str) -> None:
    assert examined(script(greeting), 25).outcome is Outcome.FAILING


def test_one_that_says_nothing_is_not_waited_for() -> None:
    ended = threading.Event()
    started = time.monotonic()
    made = Try(Target(Role.OWN, HOST, 25), 4, source="192.0.2.1")
    with served(lambda connection: ended.wait(10) and None) as connection:
        made = asked(made, connection, trust(), "", Deadline(0.2))
        ended.set()
    assert made.outcome is Outcome.FAILING
    assert time.monotonic() - started < 5


def test_an_endless_line_is_not_read() -> None:
    def endless(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * LINE_BYTES)

    assert examined(endless, 25).outcome is Outcome.FAILING


def test_an_endless_trickle_ends() -> None:
    def trickle(connection: socket.socket) -> None:
        while connection.send(b"2"):
            time.sleep(0.01)

    assert examined(trickle, 25, seconds=0.3).outcome is Outcome.FAILING


def test_what_a_stranger_says_is_safe_to_print() -> None:
    made = examined(script("220 \x1b[31m\x07evil\u202e.example\x9b hello", "250 x [192.0.2.9]", BYE), 25, Role.OTHER)
    assert made.name.isascii()
    assert made.name.isprintable()
    assert made.seen == "192.0.2.9"


@pytest.mark.parametrize(("mechanisms", "lines"), [("PLAIN LOGIN", 1), ("LOGIN", 3)])
def test_log_in(mechanisms: str, lines: int) -> None:
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with wrapped(connection.dup()).makefile("rwb", buffering=0) as file:
            file.write(b"220 mail.isp.example\r\n")
            for answer in ("250-mail.isp.example\r\n250 AUTH " + mechanisms, *["334 "] * (lines - 1), "235 ok"):
                heard.append(file.readline())
                file.write(answer.encode() + b"\r\n")

    made = Try(Target(Role.OWN, HOST, 465), 4, source="192.0.2.1")
    with served(serve) as connection:
        dialogue = Dialogue(made, Talk(connection, Deadline(5)), trust())
        assert dialogue.begin()
        assert dialogue.authenticate("tarō@isp.example", "ひみつ") == 235
        dialogue.talk.close()
    sent = b"".join(heard[1:]).split()
    last = base64.b64decode(sent[-1]).decode()
    assert last == ("ひみつ" if lines == 3 else "\0tarō@isp.example\0ひみつ")


def test_a_deadline_ends() -> None:
    with pytest.raises(TimeoutError):
        Deadline(0).left()
    assert not issubclass(NotSmtp, OSError)
