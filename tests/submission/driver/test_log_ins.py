"""Who may log in, against the running service: all workers know the same of it."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.service import CUSTOMER, HOST, PASSWORD, USER, Service

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
