"""Strangers' mail on port 25 for mailboxes that there are, and that there are not."""

from __future__ import annotations

import smtplib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from op25b.cli.service.present import read
from op25b.errors import UserError
from tests.support.service import CUSTOMER, USER, Service, Wire, free_ports

DOMAIN = "netlaputa.example"


class MailboxServer:
    """Answers as its script says, and 250 to all others; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.senders: set[str | None] = set()
        self.says: dict[str, str] = {}

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, to: str, options: list[str]) -> str:
        self.asked.append(to.partition("@")[0])
        self.senders.add(envelope.mail_from)
        return self.says.get(self.asked[-1], "250 2.1.5 OK")


@pytest.fixture
def box() -> Iterator[tuple[MailboxServer, int]]:
    found = MailboxServer()
    (port,) = free_ports(1)
    controller = Controller(found, hostname="127.0.0.1", port=port)
    controller.start()
    yield found, port
    controller.stop()


@contextmanager
def _stranger(service: Service, source: str = "127.0.0.1") -> Iterator[Wire]:
    with Wire(service.relay, source) as wire:
        wire.reply()
        wire.ask(b"EHLO elsewhere.example")
        wire.ask(b"MAIL FROM:<a@b.example>")
        yield wire


def _asked(wire: Wire, local: str) -> bytes:
    return wire.ask(f"RCPT TO:<{local}@{DOMAIN}>".encode())[:9]


def test_the_accounts_say_which_mailboxes_there_are(folder: Path) -> None:
    with Service(folder) as service:
        with _stranger(service) as wire:
            assert wire.ask(f"RCPT TO:<{USER}>".encode()).startswith(b"250")
            assert _asked(wire, "taro+list") == b"250 2.1.5"
            assert _asked(wire, "nobody") == b"550 5.1.1"
            assert _asked(wire, "postmaster") == b"250 2.1.5"
            assert wire.ask(b"RCPT TO:<postmaster>").startswith(b"250")
        with _stranger(service, CUSTOMER) as customer:  # hears of it by a bounce, which goes to nobody else
            assert _asked(customer, "nobody") == b"250 2.1.5"
        with closing(sqlite3.connect(folder / "op25b.db")) as store:
            store.execute("ALTER TABLE senders RENAME TO elsewhere")
        with _stranger(service) as wire:
            assert _asked(wire, "taro") == b"450 4.1.1"


def test_the_mailbox_server_is_asked_and_remembered(folder: Path, box: tuple[MailboxServer, int]) -> None:
    server, port = box
    server.says = {"nobody": "550 5.1.1 no such user", "full": "452 4.2.2 full", "over": "552 5.2.2 over quota",
                   "denied": "554 5.7.1 not for you"}  # fmt: skip
    route = f'[[relay.routes]]\ndomain = "{DOMAIN}"\nhost = "127.0.0.1"\nport = {port}\n'
    with Service(folder, submission='local_recipients = "ask"', tables=route) as service:
        for _ in range(2):
            with _stranger(service) as wire:
                answers = {
                    name: _asked(wire, name) for name in ("taro", "nobody", "full", "over", "denied", "postmaster")
                }
            assert answers == {
                "taro": b"250 2.1.5", "nobody": b"550 5.1.1", "full": b"450 4.1.1", "over": b"450 4.1.1",
                "denied": b"450 4.1.1", "postmaster": b"250 2.1.5",
            }  # fmt: skip
        assert sorted(server.asked) == ["denied", "denied", "full", "full", "nobody", "over", "over", "taro"]
        assert server.senders <= {None, "", "<>"}
        reasons = [line["reason"] for line in service.log() if line["event"] == "recipient not verified"]
        assert any("4.2.2 full" in reason for reason in reasons)


def test_a_mailbox_server_that_is_down_is_no_reason_to_refuse_for_good(folder: Path) -> None:
    (port,) = free_ports(1)
    route = f'[[relay.routes]]\ndomain = "{DOMAIN}"\nhost = "127.0.0.1"\nport = {port}\n'
    with Service(folder, submission='local_recipients = "ask"', tables=route) as service, _stranger(service) as wire:
        assert _asked(wire, "taro") == b"450 4.1.1"
        assert _asked(wire, "postmaster") == b"250 2.1.5"


def test_who_tries_address_after_address_waits_and_is_stopped(folder: Path) -> None:
    tables = "[submission.limits]\ntarpit_after = 2\n[submission.limits.address]\nrejected_per_hour = 3\n"
    with Service(folder, tables=tables) as service:
        with _stranger(service) as wire:
            times = []
            for number in range(3):
                began = time.monotonic()
                assert _asked(wire, f"guess{number}") == b"550 5.1.1"
                times.append(time.monotonic() - began)
            assert times[2] > 0.9
        with smtplib.SMTP("127.0.0.1", service.relay, timeout=30) as client:
            client.ehlo()
            assert client.mail("a@b.example")[0] == 451


def test_asking_needs_a_route(folder: Path) -> None:
    with pytest.raises(UserError, match=r'"ask" needs to know whom to ask for netlaputa\.example; write'):
        read(Service(folder, submission='local_recipients = "ask"').config)
