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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The folder of a running server's socket; its superuser is op25b. Nothing listens on the network."""
    if not _BINARIES:
        pytest.skip("PostgreSQL is missing; to get it: sudo apt-get install --no-install-recommends postgresql")
    binaries, user = _BINARIES[-1].parent, _unprivileged()
    folder = tempfile.mkdtemp(prefix="op25b-pg-")
    if user is not None:
        shutil.chown(folder, user)
    data = f"{folder}/data"
    initdb = [binaries / "initdb", "-D", data, "-U", "op25b", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=folder)
    settings = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off", "shared_buffers": "16MB"}
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    with open(f"{folder}/log", "wb") as log:
        server = subprocess.Popen([binaries / "postgres", "-D", data, *options], stderr=log, user=user, cwd=folder)
    try:
        ready = [binaries / "pg_isready", "-h", folder, "-q"]
        while subprocess.run(ready, check=False).returncode:
            assert server.poll() is None, Path(f"{folder}/log").read_text()
        yield folder
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(30)
        shutil.rmtree(folder)


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
