"""A real Postfix with what `op25b integrate postfix` prints, and real clients."""

from __future__ import annotations

import base64
import json
import smtplib
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from op25b.store import Store
from op25b.store.audit import By
from op25b.subscribers.accounts import Accounts
from tests.submission.test_sasl_scram import Client
from tests.support.postfix_host import CUSTOMER, CUSTOMER6, ELSEWHERE, LINES, PostfixHost, installed
from tests.support.service import MESSAGE, PASSWORD, USER, Wire, add_accounts, eventually, free_ports

pytestmark = [pytest.mark.root, installed]

TO = "x@elsewhere.example"
TABLES = """
[submission.limits.stolen]
recipients = 30
[submission.limits.address]
messages_per_hour = 8
"""
_numbers = count()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostfixHost]:
    with PostfixHost(tmp_path_factory.mktemp("postfix"), tables=TABLES) as running:
        yield running


def _account(host: PostfixHost, **limits: int) -> str:
    name = f"user{next(_numbers)}@netlaputa.example"
    add_accounts(host.op25b.store, [name], limits)
    return name


def _message(sender: str) -> bytes:
    return MESSAGE.replace(USER.encode(), sender.encode())


def _events(host: PostfixHost, event: str, account: str) -> list[dict[str, object]]:
    return [line for line in host.op25b.log() if line["event"] == event and line.get("account") == account]


def test_postfix_takes_what_is_printed_without_a_warning(host: PostfixHost) -> None:
    assert host.postconf("-n").stderr == ""
    assert host.postconf("-M").stderr == ""
    assert host.postconf("-P").stderr == ""
    assert host.postfix("check") == ""
    with host.customer() as client:
        client.sendmail(USER, [TO], MESSAGE)
    assert "warning:" not in host.log()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("port", [587, 465])
def test_swaks(host: PostfixHost, port: int, mechanism: str) -> None:
    log_in = ["--auth", mechanism, "--auth-user", USER, "--auth-password", PASSWORD]
    done = host.swaks(*log_in, "--from", USER, "--to", TO, port=port)
    assert done.returncode == 0, done.stdout
    assert "queued as" in done.stdout


def test_scram(host: PostfixHost) -> None:
    with Wire(0, connected=host.connect(465)) as wire:
        wire.secure(host.op25b.client_tls)
        wire.reply()
        offered = wire.ask(b"EHLO pc")
        assert b"SCRAM-SHA-256" in offered
        assert b"SCRAM-SHA-256-PLUS" not in offered
        client = Client(name=USER.encode(), password=PASSWORD.encode(), gs2=b"y,,")
        first = wire.ask(b"AUTH SCRAM-SHA-256 " + base64.b64encode(client.first()))
        last = wire.ask(base64.b64encode(client.final(base64.b64decode(first[4:]))))
        assert base64.b64decode(last[4:]) == client.expects
        assert wire.ask(b"").startswith(b"235")
        assert wire.ask(b"MAIL FROM:<%s>" % USER.encode()).startswith(b"250")
        assert wire.ask(b"RCPT TO:<x@elsewhere.example>").startswith(b"250")


def test_an_empty_initial_response_and_a_client_that_gives_up(host: PostfixHost) -> None:
    with Wire(0, connected=host.connect(465)) as wire:
        wire.secure(host.op25b.client_tls)
        wire.reply()
        wire.ask(b"EHLO pc")
        assert wire.ask(b"AUTH PLAIN").startswith(b"334")
        assert wire.ask(b"*").startswith(b"501")
        assert wire.ask(b"AUTH PLAIN =").startswith(b"535")
        assert wire.ask(b"AUTH LOGIN").startswith(b"334")
        assert wire.ask(b"!").startswith(b"535")
        proof = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
        assert wire.ask(b"AUTH PLAIN " + proof).startswith(b"235")


def test_who_is_let_in_is_not_told_by_words_or_time(host: PostfixHost) -> None:
    answers = []
    for user in (USER, "nobody@netlaputa.example"):
        with host.client(587) as client:
            client.starttls(context=host.op25b.client_tls)
            client.ehlo()
            began = time.monotonic()
            initial = base64.b64encode(b"\0%s\0wrong" % user.encode()).decode()
            answers.append(client.docmd("AUTH", f"PLAIN {initial}"))
        assert time.monotonic() - began >= 1
    assert answers[0] == answers[1]
    assert answers[0] == (535, b"5.7.8 Error: authentication failed: the name or the password is wrong")
    assert _events(host, "log-in failed", USER)[-1]["address"] == ELSEWHERE


def test_no_password_without_tls(host: PostfixHost) -> None:
    with host.client(587) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("AUTH PLAIN")[0] == 530
        assert client.mail(USER)[0] == 530
    with host.client(587) as client:
        client.starttls(context=host.op25b.client_tls)
        client.ehlo()
        client.mail(USER)
        assert client.rcpt(TO)[0] == 554


def test_old_tls_is_not_spoken(host: PostfixHost) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with host.connect(465) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_sender_must_be_the_account_s(host: PostfixHost) -> None:
    with host.customer() as client:
        client.mail("hanako@netlaputa.example")
        code, text = client.rcpt(TO)
        assert (code, text.endswith(b": this sender address is not one of your account's")) == (550, True)
        assert text.startswith(b"5.7.1 ")
        client.rset()
        client.sendmail("", [TO], MESSAGE)
        client.sendmail(USER.upper(), [TO], MESSAGE)
    with pytest.raises(smtplib.SMTPRecipientsRefused), host.customer("hanako@netlaputa.example") as client:
        client.sendmail(USER, [TO], MESSAGE)


def test_the_customer_s_address_stays_here(host: PostfixHost) -> None:
    inner = b"Received: from home ([198.51.100.7]) by mail.netlaputa.example with ESMTPSA id 1\r\n"
    with host.customer() as client:
        client.ehlo("secret-host")
        client.sendmail(USER, [TO], inner + b"X-Mark: hidden\r\n" + MESSAGE)
    delivered = host.delivered(b"X-Mark: hidden")
    added, kept = delivered.split(b"Received: ")[1:]
    assert added.startswith(b"from customer\n\t(using TLSv1.3 with cipher ")
    assert b"by mail.netlaputa.example (Postfix) with ESMTPSA id " in added
    assert b"secret-host" not in delivered
    assert b"198.51.100.7" not in added
    assert kept.startswith(b"from home ([198.51.100.7])"), "what the customer wrote is the customer's"


def test_messages_are_limited_and_counted_once(host: PostfixHost) -> None:
    user = _account(host, messages_per_hour=2)
    with host.customer(user) as client:
        # two in one session, several recipients each
        for _ in range(2):
            assert client.sendmail(user, [TO, "y@elsewhere.example"], _message(user)) == {}
        client.mail(user)
        code, text = client.rcpt(TO)
    assert (code, text[:6]) == (451, b"4.7.1 ")
    assert text.endswith(b": you have sent as many messages as are allowed for now; try again later")
    assert [line["recipients"] for line in _events(host, "message passed", user)] == [2, 2]
    with host.customer(user) as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail(user, [TO], _message(user))


def test_recipients_are_limited(host: PostfixHost) -> None:
    user = _account(host, recipients_per_hour=3)
    with host.customer(user) as client:
        refused = client.sendmail(user, [f"x{number}@elsewhere.example" for number in range(5)], _message(user))
        assert {to: reply[0] for to, reply in refused.items()} == {
            "x3@elsewhere.example": 452,
            "x4@elsewhere.example": 452,
        }
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail(user, [TO], _message(user))


def test_recipients_that_do_not_exist_are_limited(host: PostfixHost) -> None:
    user = _account(host, rejected_per_hour=2)
    unknown = [f"unknown{number}@netlaputa.example" for number in range(2)]
    with host.customer(user) as client:
        assert list(client.sendmail(user, [TO, *unknown], _message(user))) == unknown
        client.mail(user)
        code, text = client.rcpt(TO)
    assert code == 451
    assert text.endswith(b": too many of your recipients do not exist; try again later")


def test_what_looks_like_a_stolen_password_is_held(host: PostfixHost) -> None:
    user = _account(host)
    before = host.held()
    with host.customer(user) as client:
        client.sendmail(user, [f"x{number}@elsewhere.example" for number in range(30)], _message(user))
        assert host.held() == before
        client.sendmail(user, [TO], _message(user))
    (queue_id,) = set(host.held()) - set(before)
    (held,) = _events(host, "message held", user)
    assert held["id"] == queue_id
    assert held["reason"] == "looks like a stolen password: 31 recipients within 10 minutes, over 30"
    assert "op25b_submission_messages_held_total 1.0" in host.op25b.get("/metrics")


def test_a_suspended_account(host: PostfixHost) -> None:
    user = _account(host)
    with host.customer(user) as client:
        store = Store(host.op25b.store)
        Accounts(store).suspend(user, By("tests", datetime.now(UTC), "sends spam"))
        store.close()
        client.mail(user)
        code, text = client.rcpt(TO)
        assert (code, text[:6]) == (525, b"5.7.13")
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused, host.customer(user):
        pass
    assert refused.value.smtp_error.endswith(b": your account is suspended; please ask your provider")


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n\0.\r\n"])
@pytest.mark.parametrize("source", [ELSEWHERE, CUSTOMER])
def test_nothing_is_smuggled(host: PostfixHost, end: bytes, source: str) -> None:
    smuggled = b"MAIL FROM:<admin@netlaputa.example>\r\nRCPT TO:<taro@netlaputa.example>\r\nDATA\r\n"
    with Wire(0, connected=host.connect(25, source)) as wire:
        wire.reply()
        for command in (b"EHLO pc", b"MAIL FROM:<a@b.example>", b"RCPT TO:<taro@netlaputa.example>", b"DATA"):
            wire.ask(command)
        mark = b"mark %d" % next(_numbers)
        wire.send(b"Subject: %s\r\n\r\nx%s%sSubject: two\r\n\r\nsmuggled\r\n.\r\n" % (mark, end, smuggled))
        assert wire.reply().startswith(b"250")
        assert wire.ask(b"QUIT").startswith(b"221"), "there was one message"
    assert b"smuggled" in host.delivered(mark), "as text of the one message"


def test_who_speaks_out_of_turn_is_sent_away(host: PostfixHost) -> None:
    with Wire(0, connected=host.connect(25)) as wire:
        wire.reply()
        wire.send(b"EHLO pc\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<taro@netlaputa.example>\r\n")
        assert wire.reply().startswith(b"554 5.5.0 ")
        assert wire.reply() == b""


@pytest.mark.parametrize(
    "recipient",
    [
        b"x@elsewhere.example",
        b'"x@elsewhere.example"@other.example',
        b"x@netlaputa.example.evil.example",
        b"x%elsewhere.example@other.example",
        b"@netlaputa.example:x@elsewhere.example",
        b"x@[127.0.0.1]",
        b"elsewhere.example!x@other.example",
    ],
)
@pytest.mark.parametrize("sender", [b"a@b.example", USER.encode(), b""])
def test_port_25_is_no_open_relay(host: PostfixHost, recipient: bytes, sender: bytes) -> None:
    with Wire(0, connected=host.connect(25)) as wire:
        wire.reply()
        assert b"AUTH" not in wire.ask(b"EHLO pc")
        assert wire.ask(b"AUTH PLAIN").startswith(b"503")
        wire.ask(b"MAIL FROM:<%s>" % sender)
        assert wire.ask(b"RCPT TO:<%s>" % recipient)[:1] == b"5"
        assert wire.ask(b"RCPT TO:<taro@netlaputa.example>").startswith(b"250")


def test_port_25_relays_for_the_policy_s_pools_within_limits(host: PostfixHost) -> None:
    with host.client(25, CUSTOMER6) as client:
        for _ in range(8):
            client.sendmail("anything@anywhere.example", [TO], MESSAGE)
        client.mail("anything@anywhere.example")
        code, text = client.rcpt(TO)
        assert (code, b"as many messages as are allowed" in text) == (451, True)
    with host.client(25, CUSTOMER) as client:
        client.sendmail("anything@anywhere.example", [TO], MESSAGE)


def test_mail_from_strangers_is_postfix_s_own_business(host: PostfixHost) -> None:
    with host.client(25) as client:
        for _ in range(9):
            client.sendmail("anything@anywhere.example", ["taro@netlaputa.example"], MESSAGE)


def test_who_read_mail_by_pop_may_relay_on_25_as_himself(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    (tmp_path / "secret").write_text("0123456789abcdef")
    (tmp_path / "secret").chmod(0o600)
    table = f'[pop]\nport = {port}\nsecret_file = "secret"\n'
    policy = LINES.replace("[25, 587, 465]", "[587, 465]") + '[submission]\npop_before_smtp = "required"\n'
    with PostfixHost(tmp_path, policy=policy, tables=table) as host:
        with host.client(25) as client:
            client.ehlo()
            client.mail(USER)
            assert client.rcpt(TO)[0] == 554
        fields = {"user": USER, "remote_ip": ELSEWHERE, "service": "pop3", "success": "yes"}
        report = json.dumps({"event": "auth_request_finished", "fields": fields}).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{port}/0123456789abcdef", report, timeout=30).close()
        with host.client(25) as client:
            assert client.sendmail(USER, [TO], MESSAGE) == {}
            client.mail("hanako@netlaputa.example")
            assert client.rcpt(TO)[0] == 554
            assert client.rcpt("taro@netlaputa.example")[0] == 250, "mail that comes in is nobody's of them"
        with host.client(25, CUSTOMER) as client:
            client.ehlo()
            client.mail(USER)
            assert client.rcpt(TO)[0] == 554
        assert len(_events(host, "message passed", USER)) == 1


def test_a_killed_job_is_started_again_behind_the_same_sockets(host: PostfixHost) -> None:
    (pid,) = host.op25b.pids()
    subprocess.run(["kill", "-9", str(pid)], check=True)
    eventually(lambda: host.op25b.pids() not in ([pid], []))
    with host.customer() as client:
        assert client.sendmail(USER, [TO], MESSAGE) == {}


def test_without_op25b_everybody_comes_back_later(tmp_path: Path) -> None:
    with PostfixHost(tmp_path) as alone:
        alone.op25b.__exit__()
        assert not list((alone.folder / "queue" / "op25b").iterdir()), "the sockets are gone with their server"
        try:
            # Postfix ends a session in which it can offer no AUTH
            with pytest.raises(smtplib.SMTPServerDisconnected), alone.customer():
                pass
            with alone.client(25, CUSTOMER) as client:
                client.ehlo()
                client.mail("a@b.example")
                assert client.rcpt(TO)[0] == 451
        finally:
            alone.op25b.__enter__()
        with alone.client(25, CUSTOMER) as client:
            client.sendmail("a@b.example", [TO], MESSAGE)
