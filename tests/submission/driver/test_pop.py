"""POP before SMTP with a real Dovecot: who reads mail there may relay on 25 for a time, as himself, and nobody else."""

from __future__ import annotations

import signal
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from op25b.cli.integrate_dovecot import snippet
from op25b.cli.service import config
from tests.support.dovecot import NEEDED, Dovecot
from tests.support.service import POLICY, USER, Service, eventually, free_ports

pytestmark = NEEDED
HANAKO, JIRO = "hanako@netlaputa.example", "jiro@netlaputa.example"
REQUIRED = POLICY + '[submission]\npop_before_smtp = "required"\npop_minutes = 1\n'
POP = '[pop]\nport = {port}\nsecret_file = "secret"\nnot_from = ["127.0.0.9", "::1"]\n'
SECRET = "0123456789abcdef"


def _service(folder: Path, policy: str, tables: str = "", submission: str = "") -> Service:
    path = folder / "secret"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    return Service(
        folder, workers=2, policy=policy, submission=submission, tables=POP.format(port=free_ports(1)[0]) + tables
    )


def _dovecot(service: Service) -> Dovecot:
    more = snippet(config.load(service.config), "root").replace("service=pop3\n", "(service=pop3 or service=imap)\n")
    return Dovecot(dict.fromkeys((USER, HANAKO, JIRO), "himitsu"), more)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with _service(tmp_path_factory.mktemp("pop"), REQUIRED) as running:
        yield running


@pytest.fixture(scope="module")
def dovecot(service: Service) -> Iterator[Dovecot]:
    with _dovecot(service) as running:
        yield running


def _reported(service: Service, address: str) -> list[str]:
    """Who was."""
    return [
        line["account"] for line in service.log() if line["event"] == "log-in by POP" and line["address"] == address
    ]


def _read_mail(service: Service, dovecot: Dovecot, source: str, user: str = USER, protocol: str = "pop3") -> None:
    assert dovecot.read_mail(user, "himitsu", source, protocol)
    eventually(lambda: user.lower() in _reported(service, source))


def _send(service: Service, source: str, sender: str = USER, to: str = "x@elsewhere.example", author: str = "") -> int:
    """The reply's code."""
    with smtplib.SMTP("127.0.0.1", service.relay, source_address=(source, 0), timeout=30) as client:
        try:
            client.sendmail(sender, [to], f"From: {author or sender}\r\n\r\nHello\r\n")
        except smtplib.SMTPRecipientsRefused as refused:
            return refused.recipients[to][0]
        except smtplib.SMTPResponseException as refused:
            return refused.smtp_code
        return 250


@pytest.mark.parametrize(("protocol", "source"), [("pop3", "127.0.0.3"), ("imap", "127.0.0.4")])
def test_who_has_read_his_mail_may_relay_from_there(
    service: Service, dovecot: Dovecot, protocol: str, source: str
) -> None:
    assert _send(service, source) == 550
    # the account's name has no case
    _read_mail(service, dovecot, source, "Taro@netlaputa.example", protocol)
    # more than once: each of the workers knows
    assert [_send(service, source) for _ in range(8)] == [250] * 8
    assert _send(service, "127.0.0.5") == 550
    envelope, _ = service.spooled()[-1]
    assert (envelope.origin.account, envelope.origin.address, envelope.origin.protocol) == (USER, source, "ESMTP")


def test_only_as_oneself(service: Service, dovecot: Dovecot) -> None:
    source = "127.0.0.6"
    _read_mail(service, dovecot, source)
    assert _send(service, source, HANAKO) == 550
    assert _send(service, source, USER, author=HANAKO) == 550
    # mail that comes in for the provider's customers is nobody's of them
    assert _send(service, source, "x@elsewhere.example", HANAKO) == 250
    # another of the household
    _read_mail(service, dovecot, source, HANAKO)
    assert [_send(service, source, sender) for sender in (HANAKO, USER)] == [250, 250]


def test_a_failed_log_in_opens_nothing(service: Service, dovecot: Dovecot) -> None:
    source = "127.0.0.7"
    assert not dovecot.read_mail(USER, "wrong", source)
    assert not dovecot.read_mail("nobody@netlaputa.example", "himitsu", source)
    # what is reported after them has come, and they have not
    _read_mail(service, dovecot, "127.0.0.8")
    assert _reported(service, source) == []
    assert _send(service, source) == 550


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.9"])
def test_the_webmail_s_host_stays_closed(service: Service, dovecot: Dovecot, source: str) -> None:
    """127.0.0.1 is the policy's own server, 127.0.0.9 is named in `not_from`."""
    _read_mail(service, dovecot, source)
    assert _send(service, source) == 550


def test_a_suspended_account_may_not(service: Service, dovecot: Dovecot) -> None:
    source = "127.0.0.10"
    _read_mail(service, dovecot, source, HANAKO)
    assert _send(service, source, HANAKO) == 250
    with service.suspended(HANAKO):
        assert _send(service, source, HANAKO) == 550
    assert _send(service, source, HANAKO) == 250


def test_where_the_policy_refuses_it_nothing_opens(tmp_path: Path) -> None:
    with _service(tmp_path, POLICY) as service, _dovecot(service) as dovecot:
        assert any("refuses POP before SMTP" in line["event"] for line in service.log())
        _read_mail(service, dovecot, "127.0.0.3")
        assert _send(service, "127.0.0.3") == 550
        with smtplib.SMTP("127.0.0.1", service.starttls, source_address=("127.0.0.3", 0), timeout=30) as client:
            client.starttls(context=service.client_tls)
            client.ehlo()
            assert client.mail(USER)[0] == 530


def test_what_was_known_outlives_a_reload(service: Service, dovecot: Dovecot) -> None:
    source = "127.0.0.13"
    _read_mail(service, dovecot, source)
    service.signal(signal.SIGHUP)
    service.await_notice("READY=1")
    _read_mail(service, dovecot, "127.0.0.14")
    assert _send(service, source) == 250
    assert not [line for line in service.log() if line["event"].startswith("process ended")]


def test_dovecot_s_accounts_count_as_well(tmp_path: Path) -> None:
    """Who is in Dovecot and not in the store."""
    tables = '[accounts]\ndovecot = "auth"\n[[relay.routes]]\ndomain = "netlaputa.example"\nhost = "127.0.0.1"\n'
    with _service(tmp_path, REQUIRED, tables, 'local_recipients = "ask"') as service, _dovecot(service) as dovecot:
        _read_mail(service, dovecot, "127.0.0.3", JIRO)
        assert _send(service, "127.0.0.3", JIRO) == 250
        assert _send(service, "127.0.0.3") == 550


def test_no_secret_is_logged(service: Service, dovecot: Dovecot) -> None:
    _read_mail(service, dovecot, "127.0.0.11")
    text = (service.folder / "log").read_text()
    assert SECRET not in text
    assert "himitsu" not in text


@pytest.mark.long
def test_after_the_policy_s_minutes_it_is_over(service: Service, dovecot: Dovecot) -> None:
    source = "127.0.0.12"
    _read_mail(service, dovecot, source)
    assert _send(service, source) == 250
    eventually(lambda: _send(service, source) == 550, 70)
