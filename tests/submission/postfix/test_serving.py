"""`op25b serve --only postfix`: its sockets, and what clients get who are not Postfix."""

from __future__ import annotations

import base64
import grp
import io
import os
import signal
import smtplib
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from op25b.cli.main import run
from op25b.submission.postfix.auth_server import EXCHANGES
from tests.support.service import MESSAGE, PASSWORD, USER, Service, eventually, free_ports

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to another group")
TABLE = '[postfix]\nauth = "{auth}"\npolicy = "{policy}"\ngroup = "{group}"\n'
OWN_GROUP = grp.getgrgid(os.getegid()).gr_name
PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()


def _service(folder: Path, group: str = OWN_GROUP, **endpoints: object) -> Service:
    places = {"auth": folder / "auth", "policy": folder / "policy"} | endpoints
    return Service(folder, tables=TABLE.format(group=group, **places), parts=("--only", "postfix"))


class Peer:
    """Speaks lines over a socket."""

    def __init__(self, place: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(place))
        self._file = self.socket.makefile("rb")

    def send(self, *lines: str) -> None:
        self.socket.sendall("".join(line + "\n" for line in lines).encode())

    def line(self) -> str:
        return self._file.readline().decode().rstrip("\n")

    def ask(self, line: str) -> str:
        self.send(line)
        return self.line()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with _service(tmp_path_factory.mktemp("serving")) as running:
        yield running


@pytest.fixture
def peer(service: Service) -> Peer:
    made = Peer(service.folder / "auth")
    while made.line() != "DONE":
        pass
    made.send("VERSION\t1\t1", "CPID\t1")
    return made


def test_a_log_in(peer: Peer) -> None:
    assert peer.ask(f"AUTH\t1\tPLAIN\tservice=smtp\trip=192.0.2.1\tsecured\tresp={PLAIN}") == f"OK\t1\tuser={USER}"
    assert peer.ask("AUTH\t2\tPLAIN\tsecured") == "CONT\t2\t"
    assert peer.ask(f"CONT\t2\t{PLAIN}") == f"OK\t2\tuser={USER}"


def test_not_without_tls(peer: Peer) -> None:
    answer = peer.ask(f"AUTH\t1\tPLAIN\tservice=smtp\trip=192.0.2.1\tresp={PLAIN}")
    assert answer == "FAIL\t1\treason=your mail program must use STARTTLS or SSL/TLS"


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "GSSAPI", "ANONYMOUS", "EXTERNAL", ""])
def test_a_mechanism_that_is_not_offered(peer: Peer, mechanism: str) -> None:
    assert peer.ask(f"AUTH\t1\t{mechanism}\tsecured") == "FAIL\t1\treason=this mechanism is not offered"


def test_several_at_once_on_one_connection(peer: Peer) -> None:
    wrong = base64.b64encode(f"\0{USER}\0wrong".encode()).decode()
    peer.send(f"AUTH\t1\tPLAIN\tsecured\tresp={wrong}", f"AUTH\t2\tPLAIN\tsecured\tresp={PLAIN}")
    assert peer.line() == f"OK\t2\tuser={USER}", "the failure is told late"
    assert peer.line() == "FAIL\t1\treason=the name or the password is wrong"


def test_who_gives_up_may_begin_again(peer: Peer) -> None:
    assert peer.ask("AUTH\t1\tLOGIN\tsecured").startswith("CONT\t1\t")
    peer.send("CANCEL\t1")
    assert peer.ask(f"AUTH\t1\tPLAIN\tsecured\tresp={PLAIN}") == f"OK\t1\tuser={USER}"


def test_what_was_left_in_the_middle_makes_room(peer: Peer) -> None:
    for number in range(EXCHANGES + 1):
        assert peer.ask(f"AUTH\t{number}\tPLAIN\tsecured") == f"CONT\t{number}\t"
    assert peer.ask(f"CONT\t{EXCHANGES}\t{PLAIN}") == f"OK\t{EXCHANGES}\tuser={USER}"
    assert peer.ask(f"CONT\t0\t{PLAIN}") == "", "the first is forgotten: come back later"


@pytest.mark.parametrize("line", ["AUTH\t1\tPLAIN\tsecured", "VERSION\t9\t9", "CONT\tx\ty", "A" * 20000])
def test_what_makes_no_sense_ends_the_connection(service: Service, peer: Peer, line: str) -> None:
    assert peer.ask("AUTH\t1\tPLAIN\tsecured") == "CONT\t1\t"
    assert peer.ask(line) == ""
    assert any("not Dovecot's authentication protocol" in entry["event"] for entry in service.log())


def test_the_policy_service_hangs_up_on_others(service: Service) -> None:
    stranger = Peer(service.folder / "policy")
    stranger.send("GET / HTTP/1.1", "")
    assert stranger.line() == ""
    postfix = Peer(service.folder / "policy")
    postfix.send("request=smtpd_access_policy", "protocol_state=RCPT", "sasl_username=nobody", "")
    assert postfix.line().startswith("action=550 5.7.1 ")


def test_no_log_line_holds_a_secret(service: Service, peer: Peer) -> None:
    test_several_at_once_on_one_connection(peer)
    text = (service.folder / "log").read_text()
    assert '"log-in"' in text
    assert PASSWORD not in text
    assert PLAIN not in text


def test_it_is_healthy_and_reloads(tmp_path: Path) -> None:
    with _service(tmp_path) as service:
        assert '"ok": true' in service.get("/healthz")
        service.submission = "auth_without_tls = true"
        service.write_config()
        service.signal(signal.SIGHUP)
        service.await_notice("READY=1")
        peer = Peer(tmp_path / "auth")
        while peer.line() != "DONE":
            pass
        peer.send("VERSION\t1\t1")

        def let_in() -> bool:
            return peer.ask(f"AUTH\t1\tPLAIN\tresp={PLAIN}").startswith("OK")

        eventually(let_in)
        service.tables = service.tables.replace("/policy", "/elsewhere")
        service.write_config()
        service.signal(signal.SIGHUP)
        service.await_notice("READY=1")
        (refused,) = [line for line in service.log() if line["event"].startswith("not reloaded")]
        assert "postfix changes at a restart only" in refused["reason"]


def _refused(service: Service) -> tuple[int, str]:
    said = io.StringIO()
    with redirect_stderr(said):
        status = run(["serve", str(service.config), *service.parts])
    return status, said.getvalue()


def test_a_socket_that_was_left_behind_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "auth"))
    left.close()
    with _service(tmp_path) as service:
        mode = (tmp_path / "auth").stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o660
        status, text = _refused(_second(service))
        assert (status, text.split(":")[0]) == (2, str(tmp_path / "auth"))
        assert "in use by another program" in text
        Peer(tmp_path / "auth")
    assert not (tmp_path / "auth").exists()


def _second(service: Service) -> Service:
    folder = service.folder / "second"
    folder.mkdir()
    return _service(folder, auth=service.folder / "auth")


def test_places_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    (taken,) = free_ports(1)
    cases: list[tuple[dict[str, object], str]] = [
        ({"auth": tmp_path / "file"}, "file: there already, and not a socket"),
        ({"auth": tmp_path / "missing" / "auth"}, "missing is not there; `install -d -o USER -g "),
        ({"auth": tmp_path / ("x" * 120)}, "AF_UNIX path too long"),
        ({"policy": f"127.0.0.1:{taken}"}, "in use by another program"),
        ({"group": "no-such-group"}, "this host has no group 'no-such-group'"),
        ({"auth": "relative/path"}, "'relative/path' is no place to listen at; write an absolute path, or address and"),
        ({"auth": "::1:10025"}, "'::1:10025' is no place to listen at"),
        ({"policy": "127.0.0.1:0"}, "'127.0.0.1:0' is no place to listen at"),
        ({"policy": "localhost:10026"}, "'localhost:10026' is no place to listen at"),
    ]
    with socket.create_server(("127.0.0.1", taken)):
        for number, (settings, words) in enumerate(cases):
            folder = tmp_path / str(number)
            folder.mkdir()
            status, text = _refused(_service(folder, **settings))  # type: ignore[arg-type]
            assert (status, words in text) == (2, True), text
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.root
@ROOT
def test_without_privileges_the_folder_gives_the_group(tmp_path: Path) -> None:
    group = grp.getgrgid(65534)
    folder = tmp_path / "sockets"
    folder.mkdir()
    code = (
        "from op25b.submission.config import Postfix\nfrom op25b.submission.postfix import sockets\n"
        f"sockets.opened(Postfix(auth='{folder}/auth', group='{group.gr_name}'))"
    )
    unprivileged = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", sys.executable, "-c", code]
    os.chown(folder, 12345, 12345)
    for parent in (folder, *folder.parents[:4]):
        parent.chmod(parent.stat().st_mode | 0o055)
    refused = subprocess.run(unprivileged, capture_output=True, text=True, check=False)
    assert "the folder must belong to it and hand on its group" in refused.stderr
    assert list(folder.iterdir()) == []
    os.chown(folder, 12345, group.gr_gid)
    folder.chmod(0o2750)
    subprocess.run(unprivileged, check=True)
    made = (folder / "auth").stat()
    assert (made.st_gid, stat.S_IMODE(made.st_mode)) == (group.gr_gid, 0o660)


def test_over_tcp(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with (
        _service(tmp_path, auth=f"127.0.0.1:{port}"),
        socket.create_connection(("127.0.0.1", port), timeout=30) as made,
    ):
        assert made.recv(9) == b"VERSION\t1"


def test_beside_op25b_s_own_ports_the_counts_are_one(tmp_path: Path) -> None:
    table = TABLE.format(auth=tmp_path / "auth", policy=tmp_path / "policy", group=OWN_GROUP)
    with Service(tmp_path, tables=table, limits={"messages_per_hour": 2}, parts=()) as service:
        with service.customer() as client:
            client.sendmail(USER, ["x@elsewhere.example"], MESSAGE)
        postfix = Peer(tmp_path / "policy")
        asked = ["request=smtpd_access_policy", f"sasl_username={USER}", f"sender={USER}", "recipient_count=1"]
        for state, answer in (("RCPT", "DUNNO"), ("END-OF-MESSAGE", "DUNNO"), ("END-OF-MESSAGE", "DUNNO")):
            postfix.send(*asked, f"protocol_state={state}", "instance=1", "")
            assert (postfix.line(), postfix.line()) == (f"action={answer}", "")
        with service.customer() as client, pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail(USER, ["x@elsewhere.example"], MESSAGE)
        assert refused.value.smtp_code == 451


def test_nothing_to_serve(tmp_path: Path) -> None:
    service = Service(tmp_path, parts=("--only", "postfix"))
    assert _refused(service) == (
        2,
        f"{service.config}: there is no [postfix] to serve; write it, or leave out --only\n",
    )
    text = service.config.read_text()
    start, end = text.index("[[submission.listen]]"), text.index("[health]")
    service.config.write_text(text[:start] + text[end:])
    status, words = _refused(service)
    assert (status, "nothing is to be served; write [[submission.listen]], [postfix], or both" in words) == (2, True)
    service.config.write_text(text[:start] + text[end:] + "[postfix]\n")
    status, words = _refused(service)
    assert (status, "neither auth nor policy is there" in words) == (2, True), words
