"""Those who do nothing, or the wrong thing, stand in nobody's way; a reload under load is noticed by nobody."""

from __future__ import annotations

import signal
import smtplib
import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.submission.driver.test_kills import UNLIMITED
from tests.support.load import Load, number_of
from tests.support.service import CUSTOMER, HOST, MESSAGE, USER, Service, Wire, eventually, write_certificate
from tests.support.sink import Sink

CROWDED = """
[submission.limits]
connections = 20
[submission.limits.address]
connections = 0
messages_per_hour = 0
"""


def test_a_crowded_server_sends_the_idle_away_and_keeps_those_who_work(tmp_path: Path) -> None:
    """Over four fifths of its places: who is not logged in may be idle for 10 seconds. All taken: 421."""
    with Service(tmp_path, workers=2, tables=CROWDED) as service, ExitStack() as stack:
        customer = stack.enter_context(service.customer())
        idle = [stack.enter_context(Wire(service.starttls)) for _ in range(19)]
        assert all(wire.reply().startswith(b"220") for wire in idle)
        with Wire(service.starttls) as late:
            assert late.reply().startswith(b"421 4.3.2 the server is busy")
        eventually(lambda: _is_served(service), 30)
        assert sum(map(_was_sent_away, idle)) >= 4
        customer.sendmail(USER, ["x@elsewhere.example"], MESSAGE)


def _is_served(service: Service) -> bool:
    with Wire(service.starttls) as late:
        return late.reply().startswith(b"220")


def _was_sent_away(wire: Wire) -> bool:
    wire.socket.settimeout(0.1)
    try:
        return wire.reply().startswith(b"421 4.4.2")
    except TimeoutError:
        return False


def test_slow_clients_do_not_slow_others(tmp_path: Path) -> None:
    """300 in the middle of a command, of a message and of a handshake; mail goes on beside them."""
    tables = "[submission.limits.address]\nconnections = 0\nmessages_per_hour = 0\nrecipients_per_hour = 0\n"
    with Service(tmp_path, workers=2, tables=tables) as service, ExitStack() as stack:
        for number in range(300):
            port = service.implicit if number % 3 == 0 else service.relay
            wire = stack.enter_context(Wire(port, CUSTOMER))
            if number % 3 == 0:
                wire.send(b"\x16\x03\x01\x02")
                continue
            assert wire.reply().startswith(b"220")
            wire.ask(b"EHLO pc")
            if number % 3 == 1:
                wire.send(b"MAIL FR")
            else:
                wire.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@c.example>\r\nDATA\r\n")
                assert [wire.reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
                wire.send(b"Subject: slow\r\n\r\nx")
        with Load(service.relay) as load:
            load.wait_for(100, seconds=20)
        assert not load.refused


@pytest.mark.parametrize("hide", [True, False])
def test_customers_are_hidden_or_not(tmp_path: Path, hide: bool) -> None:
    """In what is sent; the spool and the log know them all the same."""
    with Service(tmp_path, submission=f"hide_customers = {str(hide).lower()}") as service:
        with smtplib.SMTP("127.0.0.1", service.relay, "customers-pc", 30, (CUSTOMER, 0)) as client:
            client.sendmail("a@b.example", ["x@elsewhere.example"], MESSAGE)
        [(envelope, body)] = service.spooled()
    log = (service.folder / "log").read_text()
    assert (b"customers-pc" in body, CUSTOMER.encode() in body) == (not hide, not hide)
    assert b"from customer\r\n" in body if hide else b"from customers-pc ([127.0.0.2])\r\n" in body
    assert (envelope.origin.address, envelope.origin.helo) == (CUSTOMER, "customers-pc")
    assert CUSTOMER in log


def test_certificates_change_under_load(tmp_path: Path) -> None:
    with Sink() as sink:
        with Service(tmp_path, workers=2, tables=UNLIMITED.format(port=sink.port), parts=()) as service:
            with Load(service.relay) as load, service.customer() as client:
                for _ in range(5):
                    before = _certificate(service)
                    write_certificate(service.folder, service.authority, HOST)
                    service.signal(signal.SIGHUP)
                    service.await_notice("RELOADING=1")
                    service.await_notice("READY=1")
                    eventually(lambda before=before: _certificate(service) != before)  # type: ignore[misc]
                    load.wait_for(10)
                client.sendmail(USER, ["x0@elsewhere.example"], MESSAGE)
            eventually(lambda: not service.waiting(), 60)
        assert not load.refused
        assert load.acknowledged <= {number_of(each) for each in sink.got if b"X-Sum" in each.content}


def _certificate(service: Service) -> bytes:
    with Wire(service.implicit) as wire:
        wire.secure(service.client_tls)
        assert isinstance(wire.socket, ssl.SSLSocket)
        return wire.socket.getpeercert(True) or b""
