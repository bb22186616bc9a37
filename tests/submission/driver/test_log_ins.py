"""Who may log in, against the running service: all workers know the same of it."""

from __future__ import annotations

import base64
import smtplib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from op25b.store import Store
from op25b.store.audit import By
from op25b.submission.relay.login import ScramClient
from op25b.subscribers.accounts import Accounts, New
from op25b.subscribers.passwords import take_over
from tests.subscribers import test_schemes as taken_over
from tests.support.service import CUSTOMER, HOST, PASSWORD, USER, Service, Wire, eventually

WORKERS = 3


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    with Service(folder, workers=WORKERS) as running:
        yield running


def _code(service: Service, password: str, source: str = "127.0.0.1") -> int:
    """Of one PLAIN over a connection of its own: the kernel chooses the worker."""
    with smtplib.SMTP("127.0.0.1", service.starttls, timeout=30, source_address=(source, 0)) as client:
        client.starttls(context=service.client_tls)
        client.ehlo(HOST)
        client.user, client.password = USER, password
        return client.auth("PLAIN", client.auth_plain)[0]


def test_a_guesser_has_his_tries_once_not_once_for_each_worker(service: Service) -> None:
    def guess(number: int) -> None:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            _code(service, f"guess {number}")
        assert refused.value.smtp_code == 535

    with ThreadPoolExecutor(30) as guessers:
        list(guessers.map(guess, range(30)))
    with pytest.raises(smtplib.SMTPAuthenticationError):
        _code(service, PASSWORD)
    assert _code(service, PASSWORD, CUSTOMER) == 235
    failed = [line for line in service.log() if line["event"] == "log-in failed"]
    assert len({line["process"] for line in failed}) == WORKERS
    # each worker may have one under way when the last try was spent
    assert 10 <= sum("locked out" not in line["reason"] for line in failed) <= 10 + WORKERS


@contextmanager
def _secured(service: Service) -> Iterator[tuple[Wire, bytes]]:
    """A session, and what it offers."""
    with Wire(service.implicit) as wire:
        wire.secure(service.client_tls)
        wire.reply()
        yield wire, wire.ask(b"EHLO pc")


def _scram(wire: Wire, name: str, password: str) -> tuple[bytes, float]:
    """The last reply, and how long it took."""
    client = ScramClient(name, password, "a-nonce-of-the-client")
    first = wire.ask(b"AUTH SCRAM-SHA-256 " + base64.b64encode(client.first().encode()))
    began = time.monotonic()
    reply = wire.ask(base64.b64encode(client.final(base64.b64decode(first[4:]).decode()).encode()))
    if reply.startswith(b"334"):
        client.verify(base64.b64decode(reply[4:]).decode())
        reply = wire.ask(b"")
    return reply, time.monotonic() - began


def test_an_account_that_was_taken_over_falls_back_to_plain_and_has_scram_from_then_on(folder: Path) -> None:
    service, name = Service(folder), "jiro@netlaputa.example"
    store = Store(f"sqlite:///{folder}/op25b.db")
    secret = take_over(taken_over.HASHES[3])
    assert secret is not None
    assert secret.keys is None
    Accounts(store).add([New(name, secret, frozenset({name}))], By("tests", datetime.now(UTC), "tests"))
    store.close()
    with service:
        with _secured(service) as (wire, offered):
            assert {b"SCRAM-SHA-256", b"PLAIN", b"LOGIN"} <= set(offered.split())
            answers = [_scram(wire, name, taken_over.PASSWORD), _scram(wire, "nobody@netlaputa.example", "x")]
            assert {reply for reply, _ in answers} == {b"535 5.7.8 authentication failed\r\n"}
            assert all(seconds >= 1 for _, seconds in answers)
            plain = f"\0{name}\0{taken_over.PASSWORD}".encode()
            assert wire.ask(b"AUTH PLAIN " + base64.b64encode(plain)).startswith(b"235")
            wire.ask(b"QUIT")

        def let_in() -> bool:
            with _secured(service) as (wire, _):
                return _scram(wire, name, taken_over.PASSWORD)[0].startswith(b"235")

        eventually(let_in)  # the keys are made after the answer


def test_a_provider_may_leave_scram_out(folder: Path) -> None:
    with Service(folder, submission="scram = false") as service, _secured(service) as (wire, offered):
        assert b"250-AUTH PLAIN LOGIN\r\n" in offered
        assert wire.ask(b"AUTH SCRAM-SHA-256 bixhLHI9YQ==").startswith(b"504")
