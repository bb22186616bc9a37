"""Customers whose accounts are a real Dovecot's, on 587."""

from __future__ import annotations

import base64
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from op25b.cli.integrate_dovecot import snippet
from op25b.cli.service import config
from tests.support.dovecot import NEEDED, Dovecot
from tests.support.service import MESSAGE, PASSWORD, USER, Service

pytestmark = NEEDED
JIRO = "jiro@netlaputa.example"
ROUTE = '[[relay.routes]]\ndomain = "netlaputa.example"\nhost = "127.0.0.1"\n'
SECRET = "dovecots-himitsu"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    users = {JIRO: SECRET, "shiro": SECRET, USER: "not-the-store's", "unpaid": f"{SECRET}::::::nologin=y"}
    with Dovecot(users) as running:
        yield running


def _service(folder: Path, dovecot: Dovecot) -> Service:
    accounts = f'{ROUTE}[accounts]\ndovecot = "{dovecot.socket}"\n'
    return Service(folder, submission='local_recipients = "ask"', tables=accounts)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, dovecot: Dovecot) -> Iterator[Service]:
    with _service(tmp_path_factory.mktemp("service"), dovecot) as running:
        yield running


def _log_in(service: Service, user: str, password: str, mechanism: str = "PLAIN") -> int:
    with smtplib.SMTP("127.0.0.1", service.starttls, timeout=30) as client:
        client.starttls(context=service.client_tls)
        client.ehlo()
        client.user, client.password = user, password
        try:
            return client.auth(mechanism, client.auth_plain if mechanism == "PLAIN" else client.auth_login)[0]
        except smtplib.SMTPAuthenticationError as refused:
            return refused.smtp_code


@pytest.mark.parametrize(
    ("user", "password", "mechanism", "code"),
    [
        (JIRO, SECRET, "PLAIN", 235),
        (JIRO, SECRET, "LOGIN", 235),
        (JIRO.upper(), SECRET, "PLAIN", 235),
        ("shiro", SECRET, "PLAIN", 235),
        (USER, PASSWORD, "PLAIN", 235),
    ],
)
def test_who_is_let_in(service: Service, user: str, password: str, mechanism: str, code: int) -> None:
    assert _log_in(service, user, password, mechanism) == code


def test_who_is_not(service: Service) -> None:
    tries = [
        (USER, "not-the-store's", "PLAIN"),
        (JIRO, PASSWORD, "PLAIN"),
        (JIRO, PASSWORD, "LOGIN"),
        ("nobody", SECRET, "PLAIN"),
        ("unpaid", "wrong", "PLAIN"),
        ("unpaid", SECRET, "PLAIN"),
    ]
    with ThreadPoolExecutor() as pool:
        codes = list(pool.map(lambda each: _log_in(service, *each), tries))
    assert codes == [535] * 5 + [525]


def test_scram_is_not_offered(service: Service) -> None:
    with smtplib.SMTP("127.0.0.1", service.starttls, timeout=30) as client:
        client.starttls(context=service.client_tls)
        client.ehlo()
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
        first = base64.b64encode(b"n,,n=jiro,r=abc").decode()
        assert client.docmd(f"AUTH SCRAM-SHA-256 {first}")[0] == 504


@pytest.mark.parametrize(("user", "sender"), [(JIRO, JIRO), ("shiro", "shiro@netlaputa.example")])
def test_a_dovecot_user_sends_as_himself_and_as_nobody_else(service: Service, user: str, sender: str) -> None:
    with smtplib.SMTP("127.0.0.1", service.starttls, timeout=30) as client:
        client.starttls(context=service.client_tls)
        client.login(user, SECRET)
        client.sendmail(sender, ["x@elsewhere.example"], MESSAGE.replace(USER.encode(), sender.encode()))
        envelope, _ = service.spooled()[-1]
        assert (envelope.sender, envelope.origin.account, envelope.origin.protocol) == (sender, user, "ESMTPSA")
        assert client.mail(USER)[0] == 550
        client.rset()
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail(sender, ["x@elsewhere.example"], MESSAGE)
        assert refused.value.smtp_code == 550


def test_no_password_is_logged(service: Service, dovecot: Dovecot) -> None:
    assert _log_in(service, JIRO, SECRET) == 235
    assert _log_in(service, JIRO, "a-wrong-one") == 535
    text = (service.folder / "log").read_text()
    for secret in (SECRET, "a-wrong-one", base64.b64encode(f"\0{JIRO}\0{SECRET}".encode()).decode()):
        assert secret not in text
        assert secret not in dovecot.log()


def test_dovecot_goes_and_comes_back(tmp_path: Path) -> None:
    with Dovecot({JIRO: SECRET}) as dovecot, _service(tmp_path, dovecot) as service:
        assert _log_in(service, JIRO, SECRET) == 235
        dovecot.stop()
        assert _log_in(service, JIRO, SECRET) == 454
        assert _log_in(service, USER, PASSWORD) == 235
        failed = [line for line in service.log() if line["event"] == "log-in failed"]
        assert [(line["account"], "is away: " in line["reason"]) for line in failed] == [(JIRO, True)]
        dovecot.start()
        assert _log_in(service, JIRO, SECRET) == 235


def test_the_snippet_makes_the_socket(tmp_path: Path) -> None:
    """What is printed is what a Dovecot without it starts with."""
    service = Service(tmp_path, submission='local_recipients = "ask"', tables=f'{ROUTE}[accounts]\ndovecot = "auth"\n')
    printed = snippet(config.load(service.config), "root")
    with Dovecot({JIRO: SECRET}, printed):
        made = tmp_path / "auth"
        assert made.is_socket()
        assert (made.stat().st_mode & 0o777, made.owner()) == (0o600, "root")
        with service:
            assert _log_in(service, JIRO, SECRET) == 235


def test_the_store_cannot_say_which_mailboxes_dovecot_has(tmp_path: Path) -> None:
    service = Service(tmp_path, tables='[accounts]\ndovecot = "/run/dovecot/auth-op25b"\n')
    done = subprocess.run(
        [sys.executable, "-m", "op25b", "serve", str(service.config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "submission.local_recipients: the store does not have the mailboxes that are Dovecot's" in done.stderr
