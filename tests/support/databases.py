"""Both databases for tests: a SQLite file, and a real PostgreSQL of their own on a socket in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
_USERS = ("postgres", "nobody")
_numbers = count()


def _unprivileged() -> str | None:
    """Who PostgreSQL runs as: it refuses root. None for the user at work."""
    if os.geteuid():
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return next((name for name in _USERS if name in names), None)


class Server:
    """A PostgreSQL with nothing in it, from `start` on; its superuser is op25b. Nothing listens on the network."""

    def __init__(self) -> None:
        if not _BINARIES:
            pytest.skip("PostgreSQL is missing; to get it: sudo apt-get install --no-install-recommends postgresql")
        self._binaries, self._user = _BINARIES[-1].parent, _unprivileged()
        self.folder = tempfile.mkdtemp(prefix="op25b-pg-")
        """Where its socket is."""
        # services come to it as anybody: without privileges, even those of root
        Path(self.folder).chmod(0o755)
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        data = f"{self.folder}/data"
        initdb = [self._binaries / "initdb", "-D", data, "-U", "op25b", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        subprocess.run(initdb, check=True, capture_output=True, user=self._user, cwd=self.folder)

    def start(self) -> None:
        """Returns when it answers. Also again, after `end`."""
        own = {"listen_addresses": "", "unix_socket_directories": self.folder, "fsync": "off", "shared_buffers": "16MB"}
        options = [part for key, value in own.items() for part in ("-c", f"{key}={value}")]
        command = [self._binaries / "postgres", "-D", f"{self.folder}/data", *options]
        with open(f"{self.folder}/log", "ab") as log:
            self._process = subprocess.Popen(command, stderr=log, user=self._user, cwd=self.folder)
        ready = [self._binaries / "pg_isready", "-h", self.folder, "-q"]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, Path(f"{self.folder}/log").read_text()

    def end(self) -> None:
        """At once, as by a fault: nobody is told, nothing is finished."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def remove(self) -> None:
        shutil.rmtree(self.folder)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The folder of a running server's socket."""
    server = Server()
    try:
        server.start()
        yield server.folder
    finally:
        server.end()
        server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind; on PostgreSQL a schema, which takes no 7 MB."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/op25b.db"
    return schema(request.getfixturevalue("postgresql"))


def schema(folder: str) -> str:
    """The URL of an empty schema of a running server."""
    name = f"t{next(_numbers)}"
    with psycopg.connect(host=folder, user="op25b", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"postgresql://op25b@/postgres?host={folder}&options=-csearch_path%3D{name}"
