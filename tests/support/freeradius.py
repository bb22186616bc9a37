"""A real FreeRADIUS for tests, with a configuration and a folder of its own, and radclient."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pytest

from op25b.lab.freeradius import radiusd_conf
from tests.support.service import eventually, free_ports

NEEDED = [
    pytest.mark.skipif(shutil.which("freeradius") is None, reason="needs FreeRADIUS: apt install freeradius"),
    pytest.mark.skipif(shutil.which("radclient") is None, reason="needs radclient: apt install freeradius-utils"),
]
SECRET = "the access server's"


class FreeRadius:
    """`sections`: as `radiusd_conf` takes them."""

    def __init__(self, folder: Path, **sections: str) -> None:
        self.folder = folder
        self.folder.mkdir()
        (self.port,) = free_ports(1)
        text = radiusd_conf(str(folder), ("127.0.0.1", self.port), ("127.0.0.1", SECRET), **sections)
        (folder / "radiusd.conf").write_text(text)

    def __enter__(self) -> Self:
        command = ["freeradius", "-f", "-d", str(self.folder), "-n", "radiusd"]
        # not UTC: dates must not depend on it
        environment = {**os.environ, "TZ": "Asia/Tokyo"}
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        eventually(self._is_ready)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self.log()
        return "Ready to process requests" in self.log()


def radclient(port: int, secret: str, attributes: Mapping[str, str], tries: int = 1, seconds: float = 2) -> bool:
    """Send an Accounting-Request; whether a right answer came."""
    lines = "".join(f"{name} = {value}\n" for name, value in attributes.items())
    command = ["radclient", "-r", str(tries), "-t", str(seconds), f"127.0.0.1:{port}", "acct", secret]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, timeout=60)
    assert "Sent Accounting-Request" in done.stdout, done
    return done.returncode == 0
