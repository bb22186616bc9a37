"""What keeps the service from starting gets the clear error that its user needs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from op25b.cli.service.present import read
from tests.support.service import MESSAGE, USER, Service, eventually


def _refused(service: Service, *before: str) -> tuple[int, str]:
    done = subprocess.run(
        [*before, sys.executable, "-m", "op25b", "serve", str(service.config)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.fixture
def service(folder: Path) -> Service:
    return Service(folder)


def test_a_port_in_use(service: Service) -> None:
    with socket.create_server(("127.0.0.1", service.implicit)):
        status, text = _refused(service)
    assert status == 2
    assert text.startswith(f"127.0.0.1:{service.implicit}: in use by another program (`ss -ltunp 'sport = ")


def test_another_op25b_on_the_same_port(service: Service, folder: Path) -> None:
    with service:
        status, text = _refused(service)
        assert (status, "in use by another program" in text) == (2, True)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("server.pem", "nonsense", "server.pem: not a certificate in PEM"),
        ("server.pem", None, "server.pem: cannot be read (No such file or directory)"),
        ("server.key", "nonsense", "server.key, "),
        ("server.key", None, "server.key: cannot be read"),
        ("policy.toml", "[provider]", "policy.toml:1:1: "),
        ("policy.toml", None, "policy.toml:1:1: the file cannot be read"),
        ("op25b.db", "nonsense" * 1000, "is not a SQLite database"),
        ("op25b.db", None, "there is no such file"),
    ],
)
def test_a_broken_file(service: Service, name: str, content: str | None, words: str) -> None:
    path = service.folder / name
    path.unlink()
    for rest in service.folder.glob("op25b.db-*"):
        rest.unlink()
    if content is not None:
        path.write_text(content)
    status, text = _refused(service)
    assert (status, words in text) == (2, True), text


def test_a_key_of_another_certificate(service: Service) -> None:
    service.authority.issue_cert("other.example").private_key_pem.write_to_path(service.folder / "server.key")
    status, text = _refused(service)
    assert status == 2
    assert "server.key: not the key of " in text


def test_a_key_that_wants_a_password(service: Service) -> None:
    key = service.folder / "server.key"
    command = f"openssl pkcs8 -topk8 -v2 aes128 -passout pass:x -in {key} -out {key}.new"
    subprocess.run(command.split(), check=True, capture_output=True)
    key.with_name("server.key.new").rename(key)
    status, text = _refused(service)
    assert (status, text.startswith(f"{key}: encrypted, and nobody is there")) == (2, True), text


def test_an_expired_certificate_is_served_and_said(service: Service) -> None:
    ended = datetime(2020, 1, 1, tzinfo=UTC)
    made = service.authority.issue_cert("mail.netlaputa.example", not_before=ended - timedelta(30), not_after=ended)
    made.private_key_pem.write_to_path(service.folder / "server.key")
    made.cert_chain_pems[0].write_to_path(service.folder / "server.pem")
    with service:
        service.signal(signal.SIGHUP)
        service.await_notice("RELOADING=1")
        service.await_notice("READY=1")
    said = [line for line in service.log() if line["event"].startswith("certificate has expired")]
    assert [(line["level"], line["file"]) for line in said] == [("error", f"{service.folder}/server.pem")] * 2


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ('[[relay.dkim]]\ndomain = "a.example"\nselector = "s"\nkey = "{0}"', "the DKIM key of a.example "),
        ('[relay]\nsmart_host = {{ host = "h", username = "u", tls = "verified", password_file = "{0}" }}', ""),
    ],
)
@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_secret_that_cannot_be_read(service: Service, tables: str, words: str, content: bytes | None) -> None:
    secret = service.folder / "secret"
    if content is not None:
        secret.write_bytes(content)
    service.tables = tables.format("secret")
    service.write_config()
    status, text = _refused(service)
    place = f"{secret}: {words if content is None else ''}{'cannot be read' if content is None else 'not a'}"
    assert (status, text.startswith(place)) == (2, True), text


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("postgresql://op25b@127.0.0.1:1/x", "cannot be used: "),
        ("postgresql://op25b@127.0.0.1:1/x?colour=blue", "cannot be used: "),
        ("mysql://op25b@127.0.0.1/x", "a store of the kind 'mysql' is not known; write "),
    ],
)
def test_a_store_that_cannot_be_reached(service: Service, store: str, words: str) -> None:
    text = service.config.read_text().replace(f"sqlite:///{service.folder}/op25b.db", store)
    service.config.write_text(text)
    status, said = _refused(service)
    assert (status, words in said) == (2, True), said


def test_a_damaged_spool_is_set_aside_and_serves(service: Service) -> None:
    spool = service.folder / "spool"
    spool.mkdir()
    junk = b"of another version\n" * 20
    (spool / "1NG4ME7.1.log").write_bytes(junk)
    service.parts = ()
    with service:
        eventually((spool / "aside/1NG4ME7.1.log@0").exists)
        assert (spool / "aside/1NG4ME7.1.log@0").read_bytes() == junk
        with service.customer() as client:
            client.sendmail(USER, ["x@elsewhere.example"], MESSAGE)
    (line,) = [line for line in service.log() if line["event"] == "spool-damaged"]
    assert (line["level"], line["aside"]) == ("warning", f"{spool}/aside/1NG4ME7.1.log@0")


def test_a_spool_that_is_a_file(service: Service) -> None:
    (service.folder / "spool").write_text("")
    status, text = _refused(service)
    assert status == 2
    assert text.startswith(f"spool {service.folder}/spool: not a folder")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_a_missing_privilege(service: Service) -> None:
    service.ports[0] = 587
    service.write_config()
    status, text = _refused(service, "setpriv", "--bounding-set", "-net_bind_service")
    assert status == 3
    assert "127.0.0.1:587: ports below 1024 need a privilege" in text


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_a_spool_of_somebody_else(service: Service) -> None:
    spool = service.folder / "spool"
    spool.mkdir(mode=0o700)
    os.chown(spool, 65534, 65534)
    status, text = _refused(service, "setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    assert status == 2
    assert text.startswith(f"spool {spool}: not a folder that this user can write to")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("workers = 1", "workers = -1", "service.toml:8:11: submission.workers: "),
        ("workers = 1", "wokers = 1", "service.toml:8:1: there is no setting submission.wokers"),
        ('server = "mail"', 'server = "post"', "write one of: mail"),
        ('hostname = "mail.netlaputa.example"', "", "submission.hostname is missing"),
        ("workers = 1", "workers = ", "service.toml:8:11: a value is missing"),
    ],
)
def test_a_fault_in_the_configuration_has_its_place(service: Service, old: str, new: str, words: str) -> None:
    service.config.write_text(service.config.read_text().replace(old, new))
    status, text = _refused(service)
    assert (status, words in text) == (2, True), text


def test_the_example_is_good(tmp_path: Path) -> None:
    config, policy = read(Path("examples/service.toml"))
    assert config.submission is not None
    assert {listen.port for listen in config.submission.listen} == {25, 465, 587}
    assert policy.provider.name == "netlaputa"
