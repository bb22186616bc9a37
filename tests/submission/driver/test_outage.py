"""A store that goes away under a running service: 454 for who logs in meanwhile, and nothing to mend after."""

from __future__ import annotations

import fcntl
import smtplib
import socket
import threading
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.support.databases import postgresql  # noqa: F401
from tests.support.service import MESSAGE, PASSWORD, USER, Service, make_store

SOCKET = ".s.PGSQL.5432"


class Cable:
    """Between a client and the real server's socket: can be cut, and mended."""

    def __init__(self, server: Path, folder: Path) -> None:
        self._server, self._path = server / SOCKET, folder / SOCKET
        self._ends: list[socket.socket] = []
        self.mend()

    def mend(self) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self._path))
        self._listening.listen()
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def cut(self) -> None:
        self._path.unlink()
        for end in (self._listening, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, server = listening.accept()[0], socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                self._ends += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)


def _log_in(service: Service, user: str) -> int:
    with smtplib.SMTP("127.0.0.1", service.starttls, timeout=60) as client:
        client.starttls(context=service.client_tls)
        client.ehlo()
        client.user, client.password = user, PASSWORD
        code: int = client.auth("PLAIN", client.auth_plain)[0]
        return code


def test_the_database_goes_away_and_comes_back(tmp_path: Path, postgresql: str) -> None:  # noqa: F811
    with psycopg.connect(host=postgresql, user="op25b", dbname="postgres", autocommit=True) as connection:
        connection.execute("CREATE SCHEMA outage")
    (tmp_path / "pg").mkdir()
    cable = Cable(Path(postgresql), tmp_path / "pg")
    url = f"postgresql://op25b@/postgres?host={tmp_path}/pg&options=-csearch_path%3Doutage"
    make_store(url, {})
    with Service(tmp_path, store=url) as service:
        with service.customer() as client:
            cable.cut()
            # who is in stays in
            client.sendmail(USER, ["x@elsewhere.example"], MESSAGE)
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            _log_in(service, "hanako@netlaputa.example")
        assert refused.value.smtp_code == 454
        reasons = [line["reason"] for line in service.log() if line["event"] == "log-in failed"]
        assert len(reasons) == 1
        assert "cannot be used" in reasons[0]
        cable.mend()
        assert _log_in(service, "hanako@netlaputa.example") == 235
        assert "Traceback" not in (tmp_path / "log").read_text()
    cable.cut()


@pytest.mark.long  # a log-in waits for as long as a writer would
def test_a_sqlite_store_that_somebody_has_locked_whole(tmp_path: Path) -> None:
    """As a process does that mends the file after a crash: it holds all locks of the write-ahead log's index."""
    with Service(tmp_path) as service:
        assert _log_in(service, USER) == 235
        with (tmp_path / "op25b.db-shm").open("r+b") as index:
            fcntl.lockf(index, fcntl.LOCK_EX, 8, 120)
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                _log_in(service, "hanako@netlaputa.example")
            assert refused.value.smtp_code == 454
        assert _log_in(service, "hanako@netlaputa.example") == 235
        assert "Traceback" not in (tmp_path / "log").read_text()
