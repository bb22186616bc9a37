"""The whole way: a customer logs in on 587, and the mail arrives at the next hop, signed."""

from __future__ import annotations

import base64
import json
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import dkim
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.service import CUSTOMER, MESSAGE, USER, Service, eventually, free_ports

PATIENCE = 15.0
NULL = ("", "<>")


class Mailbox:
    """A next hop that takes everything but mail for one recipient."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, to: str, options: list[str]) -> str:
        if to.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(to)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.got.append(envelope)
        return "250 2.0.0 taken"

    def wait(self, count: int) -> list[Envelope]:
        deadline = time.monotonic() + PATIENCE
        while len(self.got) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.got) >= count
        return self.got


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    found = Mailbox()
    (port,) = free_ports(1)
    controller = Controller(found, hostname="127.0.0.1", port=port)
    controller.start()
    yield found, port
    controller.stop()


def test_mail_goes_out_signed_and_a_refusal_comes_back_once(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "dkim.pem").write_bytes(pem)
    tables = f"""
[relay]
smart_host = {{ host = "127.0.0.1", port = {port} }}
[[relay.dkim]]
domain = "netlaputa.example"
selector = "s1"
key = "dkim.pem"
"""
    with Service(tmp_path, tables=tables, parts=()) as service, service.customer() as client:
        assert client.sendmail(USER, ["friend@elsewhere.example", "nobody@elsewhere.example"], MESSAGE) == {}
        first, bounce = sorted(box.wait(2), key=lambda each: each.mail_from in NULL)
    assert first.mail_from == USER
    assert first.rcpt_tos == ["friend@elsewhere.example"]
    assert isinstance(first.content, bytes)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    assert dkim.verify(first.content, dnsfunc=lambda name, timeout=5: record)
    assert bounce.mail_from in NULL
    assert bounce.rcpt_tos == [USER]
    assert isinstance(bounce.content, bytes)
    report = message_from_bytes(bounce.content)
    assert report.get_content_type() == "multipart/report"
    assert b"nobody@elsewhere.example" in bounce.content
    assert b"5.1.1" in bounce.content


def test_what_looks_stolen_is_shown_with_its_reason_and_goes_out_when_it_is_released(
    tmp_path: Path, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    tables = f"""
[submission.limits.stolen]
recipients = 3
[relay]
smart_host = {{ host = "127.0.0.1", port = {port} }}
"""

    def queue(*words: str) -> list[Any]:
        command = [sys.executable, "-m", "op25b", "queue", *words, "--spool", str(tmp_path / "spool"), "--json"]
        answered = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60)
        found: list[Any] = json.loads(answered.stdout)
        return found

    with Service(tmp_path, tables=tables, parts=()) as service, service.customer() as client:
        client.sendmail(USER, [f"friend{number}@elsewhere.example" for number in range(3)], MESSAGE)
        box.wait(1)
        client.sendmail(USER, ["friend@elsewhere.example"], MESSAGE)
        client.quit()
        eventually(lambda: bool(queue("list", "--state", "held")))
        (held,) = queue("list", "--state", "held")
        assert held["held"] == "looks like a stolen password: 4 recipients within 10 minutes, over 3"
        assert (held["state"], held["origin"]["account"], held["origin"]["address"]) == ("held", USER, "127.0.0.1")
        assert len(box.got) == 1
        assert queue("release", held["queue_id"]) == [held["queue_id"]]
        assert box.wait(2)[1].rcpt_tos == ["friend@elsewhere.example"]
        eventually(lambda: queue("list") == [])
        # gone, and still known
        lines = queue("trace", USER)
        assert [(line["account"], line["address"]) for line in lines] == [(USER, "127.0.0.1")] * 2
        assert queue("trace", held["queue_id"]) == lines[1:]
        assert queue("trace", "--since", lines[1]["arrived"]) == lines[1:]
        assert queue("trace", "nobody@elsewhere.example") == []


def test_who_writes_to_dead_addresses_is_stopped_and_nobody_else(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    """They are found out by the relay, when the message was taken long ago."""
    _, port = mailbox
    tables = f"""
[submission.limits.account]
rejected_per_hour = 5
[submission.limits.address]
rejected_per_hour = 5
[relay]
smart_host = {{ host = "127.0.0.1", port = {port} }}
"""
    to = [f"nobody@dead{number}.example" for number in range(6)]
    with Service(tmp_path, tables=tables, parts=(), workers=2) as service, service.customer() as client:
        client.sendmail(USER, to[:5], MESSAGE)
        with smtplib.SMTP("127.0.0.1", service.relay, source_address=(CUSTOMER, 0), timeout=30) as server:
            server.sendmail("a@b.example", to, MESSAGE)

        def stopped(sender: str, connected: smtplib.SMTP) -> bool:
            reply = connected.mail(sender)
            connected.rset()
            assert reply[0] == 250 or (reply[0] == 451 and b"do not exist" in reply[1])
            return reply[0] == 451

        eventually(lambda: stopped(USER, client))
        with smtplib.SMTP("127.0.0.1", service.relay, source_address=(CUSTOMER, 0), timeout=30) as server:
            server.ehlo()
            eventually(lambda: stopped("a@b.example", server))
        with service.customer("hanako@netlaputa.example") as other:
            assert not stopped("hanako@netlaputa.example", other)
