"""The how-to of self-service: its files are taken, and the desk's commands work as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from op25b.cli.service.config import load
from op25b.policy.load import load as policy
from op25b.store import Store, upgrade
from op25b.store.audit import By
from op25b.subscribers.accounts import Accounts, New
from op25b.subscribers.credentials.reissues import Reissues, Wanted
from op25b.subscribers.passwords import Hasher

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-to-credentials.md").read_text()
BY = By("self-service", datetime(2008, 2, 20, tzinfo=UTC), "page")


def example(name: str) -> str:
    found = re.search(rf"```toml\n# /etc/op25b/{name}.*\n([^`]*)```", PAGE)
    assert found is not None
    return found[1]


def test_the_configuration_is_taken(tmp_path: Path) -> None:
    (tmp_path / "portal.toml").write_text(example("portal"))
    config = load(tmp_path / "portal.toml")
    assert config.portal is not None
    assert config.portal.pop is not None
    assert config.portal.pop.host == "pop.infonia.example"


def test_the_desks_commands_work(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/op25b.db"
    upgrade(url)
    store = Store(url)
    secret = Hasher(os.urandom).make("x")
    Accounts(store).add([New("imart-1", secret, frozenset({"taro@imart.example"}))], BY)
    for contract in ("C-100", "C-101"):
        wanted = Wanted("imart", "taro@imart.example", "山田太郎", contract, "福岡市1-1", "ja")
        Reissues(store).request(wanted, None, "198.19.64.7/32", BY)
    (tmp_path / "notices.csv").write_text("account,number,password\nimart-1,AB-100,shokai\n")
    infonia = (ROOT / "examples" / "infonia.toml").read_text().partition("[credentials]")[0]
    (tmp_path / "policy.toml").write_text(infonia + example("policy"))
    assert policy((tmp_path / "policy.toml").read_text()).errors == ()
    commands = [line for line in re.findall(r"^ {4}(\S.*)$", PAGE, re.M) if " serve " not in line]
    script = "\n".join(["set -eu", f'op25b() {{ {sys.executable} -m op25b "$@"; }}', *commands])
    script = script.replace("/etc/op25b", str(tmp_path)).replace("/var/lib/op25b", str(tmp_path))
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for line in ("山田太郎", "request 1 is sent", "request 2 is refused", "1 notices taken over"):
        assert line in done.stdout
    assert (tmp_path / "letter-1.pdf").read_bytes().startswith(b"%PDF")
    store.close()
