"""The pages as a process of `op25b serve`: what it may, what it has open, and what a reload changes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from op25b.store import upgrade
from tests.support.examples import FOLDER
from tests.support.landlock import VERSION
from tests.support.running import Running, eventually, free_ports
from tests.support.words import visible

CONFIG = """
policy = "policy.toml"
store = "sqlite:///{folder}/op25b.db"
[portal]
url = "http://127.0.0.1:{portal}"
port = {portal}
trusted_proxies = ["127.0.0.1/32"]
[health]
port = {health}
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Running, str]]:
    portal, health = free_ports(2)
    (tmp_path / "policy.toml").write_text((FOLDER / "netlaputa.toml").read_text())
    (tmp_path / "service.toml").write_text(CONFIG.format(folder=tmp_path, portal=portal, health=health))
    upgrade(f"sqlite:///{tmp_path}/op25b.db")
    with Running(tmp_path, health, ("--only", "portal")) as running:
        yield running, f"http://127.0.0.1:{portal}"


def home(url: str) -> str:
    return visible(httpx.get(f"{url}/en/", headers={"X-Forwarded-For": "198.18.0.9"}, timeout=30).text)


def test_it_has_no_privilege_and_nothing_but_the_store_open(service: tuple[Running, str], tmp_path: Path) -> None:
    running, url = service
    assert "The restriction affects you" in home(url)
    (pid,) = (pid for name, pid in running.processes().items() if name == "portal")
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert {status[kind].strip() for kind in ("CapPrm", "CapEff", "CapAmb", "CapBnd")} == {"0" * 16}
    files = {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    ours = {file for file in files if file.startswith(str(tmp_path))}
    assert ours <= {f"{tmp_path}/{name}" for name in ("op25b.db", "op25b.db-wal", "op25b.db-shm", "log")}
    assert not {file for file in files if "enforcer" in file or "spool" in file}
    said = next(line for line in (tmp_path / "log").read_text().splitlines() if "confined" in line)
    assert json.loads(said)["from_spool"] is (VERSION > 0)
    assert status["Seccomp"].strip() == ("2" if json.loads(said)["from_sockets_of_this_host"] else "0")


def test_a_reload_takes_another_policy_over_and_a_process_that_dies_comes_back(
    service: tuple[Running, str], tmp_path: Path
) -> None:
    running, url = service
    form = httpx.get(f"{url}/en/check", timeout=30)
    policy = (tmp_path / "policy.toml").read_text()
    (tmp_path / "policy.toml").write_text(policy.replace("Netlaputa", "Laputa Net"))
    running.signal(signal.SIGHUP)
    eventually(lambda: "Laputa Net" in home(url))
    os.kill(running.processes()["portal"], signal.SIGKILL)
    token = form.text.partition('name="form_token" value="')[2].partition('"')[0]

    def answered() -> bool:
        try:
            data = {"form_token": token, "host": "-"}
            return httpx.post(f"{url}/en/check", data=data, cookies=form.cookies, timeout=30).status_code == 422
        except httpx.TransportError:
            return False

    # its forms are good with the one that takes its place
    eventually(answered)
