"""Caps, paces, and what looks like a stolen password, against the running service."""

from __future__ import annotations

import smtplib
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import argon2
import pytest

from op25b.submission.driver.service import EXPLAINED
from tests.support.service import CUSTOMER, MESSAGE, PASSWORD, USER, Service, Wire, add_accounts, eventually

TO = "x@elsewhere.example"
TABLES = """
[submission.limits]
idle_seconds = 2
slow_seconds = 2
slowest = 1000
header = 4096
tarpit_after = 2
[submission.limits.address]
connections = 4
messages_per_hour = 3
[submission.limits.account]
connections = 2
recipients_per_hour = 12
[submission.limits.stolen]
recipients = 8
networks = 2
"""


@pytest.fixture
def bounded(folder: Path) -> Iterator[Service]:
    with Service(folder, workers=2, tables=TABLES) as running:
        yield running


def _greeted(wire: Wire) -> Wire:
    assert wire.reply().startswith(b"220")
    wire.ask(b"EHLO pc")
    return wire


def test_an_address_has_so_many_connections_over_all_workers(bounded: Service) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(bounded.starttls, CUSTOMER)) for _ in range(4)]
        assert all(wire.reply().startswith(b"220") for wire in wires)
        with Wire(bounded.starttls, CUSTOMER) as fifth:
            assert fifth.reply().startswith(b"421 4.7.0 ")
            assert fifth.reply() == b""
        with Wire(bounded.starttls) as other:
            assert other.reply().startswith(b"220")
        wires[0].ask(b"QUIT")

    def one_may_come() -> bool:
        with Wire(bounded.starttls, CUSTOMER) as wire:
            return wire.reply().startswith(b"220")

    eventually(one_may_come)


def test_over_the_cap_on_465_the_reason_is_told_under_tls_and_not_to_everybody(folder: Path) -> None:
    def outcome(service: Service) -> bytes:
        with Wire(service.implicit) as wire:
            try:
                wire.secure(service.client_tls)
                return wire.reply()
            except OSError:
                return b"closed"

    tables = "[submission.limits.address]\nconnections = 1\n"
    with Service(folder, tables=tables) as service, Wire(service.starttls) as only:
        only.reply()
        assert outcome(service).startswith(b"421 4.7.0 too many connections from your address")
        with Wire(service.implicit) as silent:
            began = time.monotonic()
            assert silent.reply() == b""
            assert time.monotonic() - began < 15  # those who are served have 30 seconds for the handshake
        began = time.monotonic()
        with ThreadPoolExecutor(16) as clients:
            flood = [each[:3] for each in clients.map(outcome, [service] * 100)]
        assert set(flood) <= {b"421", b"clo"}
        assert 1 <= flood.count(b"421") <= EXPLAINED * (time.monotonic() - began + 2)


def test_an_account_has_so_many_sessions_and_recipients(bounded: Service) -> None:
    with bounded.customer() as first, bounded.customer() as second:
        # smtplib tries the next mechanism after the 421 that closed the connection
        with pytest.raises(smtplib.SMTPServerDisconnected), bounded.customer():
            pass
        assert [line["reply"][:3] for line in bounded.log() if line["event"] == "cap reached"] == ["421"]
        first.sendmail(USER, [TO] * 1, MESSAGE)
        refusals = second.sendmail(USER, [f"x{number}@elsewhere.example" for number in range(14)], MESSAGE)
        assert {reply[:2] for reply in map(str, refusals.values())} == {"(4"}
        assert len(refusals) == 3
    with bounded.customer("hanako@netlaputa.example") as other:
        assert other.sendmail("hanako@netlaputa.example", [TO], MESSAGE.replace(b"taro", b"hanako")) == {}


def test_who_leaves_while_his_password_is_checked_counts_no_session(bounded: Service) -> None:
    slow = argon2.Parameters(argon2.Type.ID, 19, 16, 32, time_cost=20, memory_cost=65536, parallelism=1)
    add_accounts(bounded.store, ["jiro@netlaputa.example"], {}, slow)
    secret = b64encode(f"\0jiro@netlaputa.example\0{PASSWORD}".encode())
    for _ in range(3):
        with Wire(bounded.implicit) as wire:
            wire.secure(bounded.client_tls)
            _greeted(wire)
            wire.send(b"AUTH PLAIN " + secret + b"\r\n")
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST, not FIN
    eventually(lambda: sum(line["event"] == "log-in" for line in bounded.log()) == 3)
    with bounded.customer("jiro@netlaputa.example"), bounded.customer("jiro@netlaputa.example"):
        pass


def test_the_own_network_has_so_many_messages(bounded: Service) -> None:
    with smtplib.SMTP("127.0.0.1", bounded.relay, source_address=(CUSTOMER, 0), timeout=30) as client:
        for _ in range(3):
            client.sendmail("a@b.example", [TO], MESSAGE)
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail("a@b.example", [TO], MESSAGE)
        assert (refused.value.smtp_code, b"4.7.1" in refused.value.smtp_error) == (451, True)


def test_a_burst_is_taken_and_held(bounded: Service) -> None:
    with bounded.customer() as client:
        client.sendmail(USER, [TO], MESSAGE)
        client.sendmail(USER, [f"x{number}@elsewhere.example" for number in range(9)], MESSAGE)
    first, second = (envelope for envelope, _ in bounded.spooled())
    assert first.held is None
    assert second.held is not None
    assert "stolen password" in second.held
    held = [line for line in bounded.log() if line["event"] == "message held"]
    assert [(line["account"], line["level"]) for line in held] == [(USER, "warning")]
    assert "op25b_submission_messages_held_total 1.0" in bounded.get("/metrics")


def test_one_account_from_many_networks_is_held(bounded: Service) -> None:
    for number in range(3, 6):
        with smtplib.SMTP("127.0.0.1", bounded.starttls, source_address=(f"127.0.0.{number}", 0), timeout=30) as client:
            client.starttls(context=bounded.client_tls)
            client.login(USER, "himitsu")
            client.sendmail(USER, [TO], MESSAGE)
    held = {envelope.origin.address: envelope.held is not None for envelope, _ in bounded.spooled()}
    assert held == {"127.0.0.3": False, "127.0.0.4": False, "127.0.0.5": True}


def test_who_is_idle_is_told_to_go(bounded: Service) -> None:
    with Wire(bounded.starttls) as wire:
        assert wire.reply().startswith(b"220")
        wire.send(b"EH")
        assert wire.reply().startswith(b"421 4.4.2")
        assert wire.reply() == b""


def test_bytes_that_make_no_command_do_not_keep_a_connection(bounded: Service) -> None:
    with Wire(bounded.starttls) as wire:
        wire.reply()
        began = time.monotonic()
        wire.socket.settimeout(0.2)
        while time.monotonic() - began < 10:
            try:
                wire.send(b"x")
                if wire.socket.recv(100).startswith(b"421 4.4.2"):
                    break
            except TimeoutError:
                continue
        assert time.monotonic() - began < 6


def test_a_slow_message_is_cut_and_a_steady_one_is_not(bounded: Service) -> None:
    with Wire(bounded.relay, CUSTOMER) as slow, Wire(bounded.relay, CUSTOMER) as steady:
        for wire in (slow, steady):
            _greeted(wire)
            wire.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@c.example>\r\nDATA\r\n")
            assert [wire.reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
            wire.send(b"Subject: x\r\n\r\n")
        slow.socket.settimeout(0.2)
        reply = b""
        for _ in range(25):  # for longer than an idle connection may live
            with suppress(TimeoutError):
                reply = reply or (slow.send(b"x") or slow.socket.recv(100))
            steady.send(b"y" * 400 + b"\r\n")
            if reply:
                time.sleep(0.2)
        assert reply.startswith(b"421 4.4.2 the message comes too slowly")
        assert steady.ask(b".").startswith(b"250")


def test_refused_recipients_come_later_and_later(bounded: Service) -> None:
    with Wire(bounded.relay) as wire:
        _greeted(wire)
        wire.ask(b"MAIL FROM:<a@b.example>")
        times = []
        for number in range(4):
            began = time.monotonic()
            assert wire.ask(b"RCPT TO:<x%d@c.example>" % number).startswith(b"550")
            times.append(time.monotonic() - began)
        assert max(times[:2]) < 0.9 < times[2] < times[3]


def test_a_header_without_end_is_refused_and_the_session_goes_on(bounded: Service) -> None:
    with Wire(bounded.relay, CUSTOMER) as wire:
        _greeted(wire)
        for text, code in ((b"X: y\r\n" * 2000, b"552 5.3.4"), (MESSAGE, b"250 2.0.0")):
            wire.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@c.example>\r\nDATA\r\n")
            assert [wire.reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
            wire.send(text + b".\r\n")
            assert wire.reply().startswith(code)


def test_who_does_not_read_stands_in_nobody_s_way(bounded: Service) -> None:
    with Wire(bounded.relay, CUSTOMER) as deaf, Wire(bounded.relay) as other:
        deaf.reply()
        deaf.socket.settimeout(0.5)
        with suppress(OSError):
            while True:
                deaf.send(b"NOOP\r\n" * 1000)
        _greeted(other)
        assert other.ask(b"NOOP").startswith(b"250")
