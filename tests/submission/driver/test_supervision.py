"""Workers that die, stops, reloads, and what the service says of itself."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.support.service import CUSTOMER, HOST, MESSAGE, USER, Service, Wire, eventually, write_certificate

TO = "x@elsewhere.example"


@pytest.fixture
def running(folder: Path) -> Iterator[Service]:
    with Service(folder, workers=2) as service:
        yield service


def _sends(service: Service) -> None:
    with smtplib.SMTP("127.0.0.1", service.relay, source_address=(CUSTOMER, 0), timeout=30) as client:
        client.sendmail("a@b.example", [TO], MESSAGE)


def _begin(wire: Wire) -> None:
    wire.reply()
    wire.ask(b"EHLO pc")
    wire.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@c.example>\r\nDATA\r\n")
    assert [wire.reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]


def test_a_worker_that_is_killed_is_started_again_and_no_client_is_refused(running: Service) -> None:
    before = running.pids()
    for victim in before:
        os.kill(victim, signal.SIGKILL)
    for _ in range(8):
        _sends(running)
    after = running.pids()
    assert len(after) == 2
    assert not set(before) & set(after)
    assert len(running.spooled()) == 8
    eventually(lambda: json.loads(running.get("/healthz"))["ok"])
    assert "op25b_submission_worker_starts_total 4.0" in running.get("/metrics")


def test_a_stop_lets_a_message_come_to_its_end_and_sends_the_others_away(running: Service) -> None:
    with Wire(running.relay, CUSTOMER) as sending, Wire(running.relay, CUSTOMER) as idle:
        _begin(sending)
        idle.reply()
        running.signal(signal.SIGTERM)
        assert idle.reply().startswith(b"421 4.3.2")
        sending.send(MESSAGE + b".\r\n")
        assert sending.reply().startswith(b"250")
        assert sending.reply().startswith(b"421 4.3.2")
    assert running.stopped() == 0
    assert len(running.spooled()) == 1
    running.await_notice("STOPPING=1")


def test_a_supervisor_that_is_killed_takes_its_workers_along(folder: Path) -> None:
    service = Service(folder, workers=2)
    service.__enter__()
    pids = service.pids()
    service.signal(signal.SIGKILL)
    service.stopped()
    eventually(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids))


def _served(service: Service, context: ssl.SSLContext) -> bytes:
    with Wire(service.implicit) as wire:
        wire.secure(context)
        assert isinstance(wire.socket, ssl.SSLSocket)
        assert wire.reply().startswith(b"220")
        return wire.socket.getpeercert(True) or b""


def test_a_reload_takes_over_certificate_and_limits_and_no_session_notices(running: Service) -> None:
    before = _served(running, running.client_tls)
    with running.customer() as client, Wire(running.relay, CUSTOMER) as sending:
        _begin(sending)
        write_certificate(running.folder, running.authority, HOST)
        running.tables = "[submission.limits.address]\nmessages_per_hour = 1\n"
        running.write_config()
        running.signal(signal.SIGHUP)
        running.await_notice("RELOADING=1")
        running.await_notice("READY=1")
        eventually(lambda: _served(running, running.client_tls) != before)
        client.sendmail(USER, [TO], MESSAGE)
        sending.send(MESSAGE + b".\r\n")
        assert sending.reply().startswith(b"250")

    def is_refused() -> bool:
        with Wire(running.relay, CUSTOMER) as wire:
            wire.reply()
            wire.ask(b"EHLO pc")
            return wire.ask(b"MAIL FROM:<a@b.example>").startswith(b"451 4.7.1")

    eventually(is_refused)


def test_a_worker_that_dies_after_a_reload_comes_back_with_what_was_reloaded(running: Service) -> None:
    before = running.pids()
    running.tables = "[submission.limits.address]\nmessages_per_hour = 1\n"
    running.write_config()
    running.signal(signal.SIGHUP)
    running.await_notice("RELOADING=1")
    running.await_notice("READY=1")
    for victim in before:
        os.kill(victim, signal.SIGKILL)
    _sends(running)
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        _sends(running)
    assert refused.value.smtp_code == 451


@pytest.mark.parametrize("spoil", ["certificate", "config", "policy", "listen"])
def test_a_reload_of_something_broken_changes_nothing(running: Service, spoil: str) -> None:
    if spoil == "certificate":
        (running.folder / "server.pem").write_text("nonsense")
    elif spoil == "policy":
        (running.folder / "policy.toml").write_text("[provider]\n")
    else:
        text = running.config.read_text()
        changed = text.replace("workers = 2", "workers = many" if spoil == "config" else "workers = 3")
        running.config.write_text(changed)
    running.signal(signal.SIGHUP)
    running.await_notice("RELOADING=1")
    running.await_notice("READY=1")
    assert [line["level"] for line in running.log() if line["event"] == "not reloaded, going on as before"] == ["error"]
    _served(running, running.client_tls)
    _sends(running)


def test_a_certificate_is_chosen_by_name(folder: Path) -> None:
    service = Service(folder)
    other = service.authority.issue_cert("*.aa2.sonet.example")
    other.private_key_pem.write_to_path(folder / "other.key")
    other.cert_chain_pems[0].write_to_path(folder / "other.pem")
    service.submission = ""
    service.tables = '[[submission.certificates]]\ncertificate = "other.pem"\nkey = "other.key"\n'
    service.write_config()
    with service:
        for name, host in (("mail.aa2.sonet.example", "mail.aa2.sonet.example"), (HOST, HOST)):
            command = (
                f"openssl s_client -connect 127.0.0.1:{service.implicit} -servername {name} -verify_hostname {host}"
            )
            done = subprocess.run(
                [*command.split(), "-verify_return_error", "-CAfile", str(folder / "ca.pem")],
                input=b"QUIT\r\n",
                capture_output=True,
                timeout=30,
                check=False,
            )
            assert b"Verification: OK" in done.stdout, done.stdout


def test_metrics_and_health(running: Service) -> None:
    _sends(running)
    text = running.get("/metrics")
    assert "op25b_submission_messages_total 1.0" in text
    assert "op25b_submission_commit_seconds_count 1.0" in text
    assert json.loads(running.get("/healthz")) == {"ok": True, "workers": {"0": "ok", "1": "ok"}}


def test_a_stuck_worker_is_seen(running: Service) -> None:
    victim = running.pids()[0]
    os.kill(victim, signal.SIGSTOP)
    try:
        with suppress(HTTPError):
            while True:
                assert running.get("/healthz")
    finally:
        os.kill(victim, signal.SIGCONT)


def test_every_message_is_traced_and_nothing_secret_is_logged(running: Service) -> None:
    with running.customer() as client:
        client.sendmail(USER, [TO], MESSAGE)
    queue_id = running.spooled()[0][1].split(b" id ")[1].split()[0].decode()
    (line,) = [line for line in running.log() if line["event"] == "message taken"]
    assert (line["id"], line["account"], line["address"]) == (queue_id, USER, "127.0.0.1")
    text = (running.folder / "log").read_text()
    assert "himitsu" not in text
    assert "aGltaXRzd" not in text
