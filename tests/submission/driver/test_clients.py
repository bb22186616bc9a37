"""Real clients against the running service."""

from __future__ import annotations

import base64
import email
import hashlib
import hmac
import smtplib
import socket
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.support.service import CUSTOMER, HOST, MESSAGE, PASSWORD, USER, Service, Wire

TO = "x@elsewhere.example"


def _last(service: Service) -> tuple[str, str]:
    """Protocol and account of the message taken last."""
    origin = service.spooled()[-1][0].origin
    return origin.protocol, origin.account or ""


def test_smtplib_on_587(service: Service) -> None:
    with service.customer() as client:
        assert client.sendmail(USER, [TO], MESSAGE) == {}
    envelope, body = service.spooled()[-1]
    assert (envelope.sender, [to.address for to in envelope.recipients]) == (USER, [TO])
    assert envelope.origin.account == USER
    assert envelope.origin.tls == "TLSv1.3 TLS_AES_256_GCM_SHA384"
    message = email.message_from_bytes(body)
    assert message.keys() == ["Received", "From", "Subject", "Date", "Message-ID"]
    assert "with ESMTPSA" in message["Received"]
    assert "tls TLS_AES_256_GCM_SHA384;" in message["Received"]
    assert "127.0.0.1" not in message["Received"]
    assert message.get_payload() == "Hello\r\n"


def test_smtplib_on_465(service: Service) -> None:
    with smtplib.SMTP_SSL("127.0.0.1", service.implicit, context=service.client_tls, timeout=30) as client:
        client.login(USER, PASSWORD)
        client.sendmail(USER, [TO], MESSAGE)
    assert _last(service) == ("ESMTPSA", USER)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("tls", ["-tls", "-tlsc"])
def test_swaks(service: Service, mechanism: str, tls: str) -> None:
    port = service.starttls if tls == "-tls" else service.implicit
    command = f"swaks --server 127.0.0.1:{port} {tls} --auth {mechanism} --auth-user {USER} --auth-password {PASSWORD}"
    done = subprocess.run(
        [*command.split(), "--from", USER, "--to", TO], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "queued as" in done.stdout


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_curl(service: Service, scheme: str) -> None:
    port = service.starttls if scheme == "smtp" else service.implicit
    command = f"curl -sS --ssl-reqd {scheme}://127.0.0.1:{port} --mail-from {USER} --mail-rcpt {TO} -T -"
    done = subprocess.run(
        [*command.split(), "-u", f"{USER}:{PASSWORD}", "--cacert", str(service.folder / "ca.pem")],
        input=MESSAGE,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert _last(service) == ("ESMTPSA", USER)


def test_bdat_and_pipelining_and_a_large_message(service: Service) -> None:
    text = MESSAGE + b"x" * 76 + b"\r\n"
    text += b"0123456789" * 7 + b"\r\n"
    large = MESSAGE + (b"0123456789" * 7 + b"\r\n") * 30_000
    with Wire(service.relay, CUSTOMER) as wire:
        wire.reply()
        wire.ask(b"EHLO pc")
        for message in (text, large):
            wire.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<%s>\r\nBDAT %d LAST\r\n" % (TO.encode(), len(message)))
            wire.send(message)
            assert [wire.reply()[:3] for _ in range(3)] == [b"250"] * 3
    assert [body.endswith(each[-200:]) for (_, body), each in zip(service.spooled()[-2:], (text, large), strict=True)]
    assert len(service.spooled()[-1][1]) > len(large)


def test_a_client_that_sends_all_and_shuts_its_side_gets_its_replies(service: Service) -> None:
    with Wire(service.relay, CUSTOMER) as wire:
        wire.reply()
        wire.ask(b"EHLO pc")
        wire.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<%s>\r\nDATA\r\n" % TO.encode())
        assert [wire.reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
        wire.send(MESSAGE + b".\r\n")
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.reply().startswith(b"250 2.0.0 queued as")
        assert wire.reply() == b""


def test_the_wrong_password_and_the_unknown_name_get_the_same(service: Service) -> None:
    replies = []
    for user in (USER, "nobody@netlaputa.example"):
        with smtplib.SMTP("127.0.0.1", service.starttls, timeout=30) as client:
            client.starttls(context=service.client_tls)
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.login(user, "wrong")
            replies.append((refused.value.smtp_code, refused.value.smtp_error))
    assert replies == [(535, b"5.7.8 authentication failed")] * 2
    assert PASSWORD not in (service.folder / "log").read_text()


def test_nothing_before_log_in_and_no_log_in_before_tls(service: Service) -> None:
    with Wire(service.starttls) as wire:
        wire.reply()
        assert b"AUTH" not in wire.ask(b"EHLO pc")
        assert wire.ask(b"MAIL FROM:<a@b.example>").startswith(b"530 5.7.0")
        assert wire.ask(b"AUTH PLAIN").startswith((b"530 5.7.0", b"538 5.7.11"))
        assert wire.ask(b"STARTTLS").startswith(b"220")
        wire.secure(service.client_tls)
        assert b"AUTH" in wire.ask(b"EHLO pc")
        assert wire.ask(b"MAIL FROM:<a@b.example>").startswith(b"530 5.7.0")


@pytest.mark.parametrize("injected", [b"EHLO evil\r\n", b"NOOP\r\n", b"AUTH PLAIN AGEAYg==\r\n", b"\x16\x03\x01"])
def test_nothing_sent_behind_starttls_is_taken_as_said_within_tls(service: Service, injected: bytes) -> None:
    with Wire(service.starttls) as wire:
        wire.reply()
        wire.ask(b"EHLO pc")
        wire.send(b"STARTTLS\r\n" + injected)
        first = wire.reply()
        if first.startswith(b"220"):
            with pytest.raises((ssl.SSLError, OSError)):
                wire.secure(service.client_tls)
        else:
            assert first[:1] == b"5"


def test_what_was_said_before_starttls_is_forgotten(service: Service) -> None:
    with Wire(service.relay, CUSTOMER) as wire:
        wire.reply()
        wire.ask(b"EHLO pc")
        assert wire.ask(b"STARTTLS").startswith(b"220")
        wire.secure(service.client_tls)
        assert wire.ask(b"MAIL FROM:<a@b.example>").startswith(b"503")


@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
def test_old_tls_is_not_spoken(service: Service, version: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    old = ssl.TLSVersion.TLSv1 if version == "tls1" else ssl.TLSVersion.TLSv1_1
    context.minimum_version = context.maximum_version = old
    with socket.create_connection(("127.0.0.1", service.implicit), timeout=30) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname=HOST)


def test_tls_1_2_gets_its_iana_name(service: Service) -> None:
    context = ssl.create_default_context()
    service.authority.configure_trust(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with smtplib.SMTP_SSL("127.0.0.1", service.implicit, context=context, timeout=30) as client:
        client.login(USER, PASSWORD)
        client.sendmail(USER, [TO], MESSAGE)
    tls = service.spooled()[-1][0].origin.tls
    assert tls is not None
    assert tls.startswith("TLSv1.2 TLS_ECDHE_")
    assert "_WITH_AES_" in tls or "_WITH_CHACHA20_POLY1305_SHA256" in tls


def test_a_sender_must_be_the_account_s(service: Service) -> None:
    with service.customer() as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail("hanako@netlaputa.example", [TO], MESSAGE)
        assert refused.value.smtp_code == 550
        with pytest.raises(smtplib.SMTPDataError) as unlike:
            client.sendmail(USER, [TO], MESSAGE.replace(b"taro", b"hanako"))
        assert unlike.value.smtp_code == 550
        with pytest.raises(smtplib.SMTPDataError):
            client.sendmail(USER, [TO], b"From: hanako@netlaputa.example\r\n" + MESSAGE)
        with pytest.raises(smtplib.SMTPDataError):
            client.sendmail(USER, [TO], b"Subject: nobody\r\n\r\nx\r\n")
        client.sendmail("", [TO], MESSAGE)


def test_relaying_on_25_is_for_the_own_network(service: Service) -> None:
    with smtplib.SMTP("127.0.0.1", service.relay, source_address=(CUSTOMER, 0), timeout=30) as client:
        client.sendmail("anything@anywhere.example", [TO], b"no header at all\r\n")
    envelope, body = service.spooled()[-1]
    assert (envelope.origin.address, envelope.origin.account, envelope.origin.protocol) == (CUSTOMER, None, "ESMTP")
    assert body.endswith(b"+0900\r\nno header at all\r\n")


def test_a_stranger_on_25_reaches_the_local_domains_and_nothing_else(service: Service) -> None:
    with smtplib.SMTP("127.0.0.1", service.relay, timeout=30) as client:
        refused = client.sendmail("a@b.example", [TO, USER, "postmaster"], MESSAGE)
        assert {to: reply[0] for to, reply in refused.items()} == {TO: 550}
    assert [to.address for to in service.spooled()[-1][0].recipients] == [USER, "postmaster"]


@pytest.mark.parametrize(
    "recipient",
    [
        b'"x@elsewhere.example"@other.example',
        b"x@netlaputa.example.evil.example",
        b"x@evilnetlaputa.example",
        b"@netlaputa.example:x@elsewhere.example",
        b"x@[127.0.0.1]",
        b"x@netlaputa.example@elsewhere.example",
    ],
)
def test_no_way_round_the_relay_check(service: Service, recipient: bytes) -> None:
    with Wire(service.relay) as wire:
        wire.reply()
        wire.ask(b"EHLO pc")
        wire.ask(b"MAIL FROM:<a@b.example>")
        assert wire.ask(b"RCPT TO:<%s>" % recipient)[:1] == b"5"


def test_scram_with_channel_binding(service: Service) -> None:
    with Wire(service.implicit) as wire:
        wire.secure(service.client_tls)
        wire.reply()
        assert b"SCRAM-SHA-256-PLUS" in wire.ask(b"EHLO pc")
        assert isinstance(wire.socket, ssl.SSLSocket)
        certificate = x509.load_der_x509_certificate(wire.socket.getpeercert(True) or b"")
        gs2 = b"p=tls-server-end-point,,"
        bare = b"n=%s,r=abcdef" % USER.encode()
        first = wire.ask(b"AUTH SCRAM-SHA-256-PLUS " + base64.b64encode(gs2 + bare))
        server_first = base64.b64decode(first[4:])
        said = dict(part.split(b"=", 1) for part in server_first.split(b","))
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), base64.b64decode(said[b"s"]), int(said[b"i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        bound = base64.b64encode(gs2 + certificate.fingerprint(hashes.SHA256()))
        without = b"c=%s,r=%s" % (bound, said[b"r"])
        signed = b",".join((bare, server_first, without))
        signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True)))
        assert wire.ask(base64.b64encode(without + b",p=" + proof)).startswith(b"334")
        assert wire.ask(b"").startswith(b"235")
        assert wire.ask(b"MAIL FROM:<%s>" % USER.encode()).startswith(b"250")
