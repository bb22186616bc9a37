"""The console as `op25b serve` runs it: a process of its own, from a configuration, without a privilege."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import httpx

from op25b.portal.staff import codes
from op25b.portal.staff.accounts import Member, Staff
from op25b.portal.staff.login import sealed_for
from op25b.portal.staff.roles import Role
from op25b.store import Store, upgrade
from op25b.store.audit import By
from tests.support.examples import FOLDER
from tests.support.running import PROGRAM, Running, free_ports
from tests.support.staff import PASSWORD, SECRET, Hired, counted, hasher


def test_a_log_in_at_the_running_service(tmp_path: Path) -> None:
    url, (port, health) = f"sqlite:///{tmp_path}/store.db", free_ports(2)
    upgrade(url)
    codes.make_key(tmp_path / "key", counted)
    store = Store(url)
    sealed = codes.read_key(tmp_path / "key").seal(SECRET.encode(), sealed_for("hanako"), counted)
    member = Member("hanako", frozenset({Role.SUPPORT}), hasher().make(PASSWORD).hash, sealed)
    Staff(store).add(member, By("root", datetime.now(UTC), ""))
    (tmp_path / "service.toml").write_text(
        f'policy = "{FOLDER / "netlaputa.toml"}"\nstore = "{url}"\n[health]\nport = {health}\n'
        f'[console]\nport = {port}\nurl = "http://127.0.0.1:{port}"\nkey_file = "key"\n'
    )
    with Running(tmp_path, health), httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        page = client.get("/en/log-in").text
        token = re.search(r'name="form_token" value="(\w+)"', page)
        assert token is not None
        fields = {"name": "hanako", "password": PASSWORD, "code": Hired("hanako").code(datetime.now(UTC))}
        answer = client.post("/en/log-in", data={"form_token": token[1], **fields})
        assert answer.status_code == 303, answer.text
        assert "Exemptions to work on" in client.get("/en/").text
        assert "op25b_console_log_ins_total 1" in httpx.get(f"http://127.0.0.1:{health}/metrics").text
    assert PASSWORD not in (tmp_path / "log").read_text()
    store.close()


def test_without_its_key_it_does_not_start(tmp_path: Path) -> None:
    url, (port, health) = f"sqlite:///{tmp_path}/store.db", free_ports(2)
    upgrade(url)
    (tmp_path / "service.toml").write_text(
        f'policy = "{FOLDER / "netlaputa.toml"}"\nstore = "{url}"\n[health]\nport = {health}\n'
        f'[console]\nport = {port}\nkey_file = "key"\n'
    )
    done = subprocess.run([*PROGRAM, "serve", tmp_path / "service.toml"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "console.key_file" in done.stderr
