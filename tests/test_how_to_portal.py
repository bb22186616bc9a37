"""The how-to of the customers' pages: its configuration is taken, and its commands work as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from op25b.cli.service.config import load
from op25b.store import upgrade

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-to-portal.md").read_text()


def test_the_configurations_are_taken(tmp_path: Path) -> None:
    found = re.search(r"```toml\n# /etc/op25b/portal.toml\n([^`]*)```", PAGE)
    assert found is not None
    (tmp_path / "portal.toml").write_text(found[1])
    for file in (tmp_path / "portal.toml", ROOT / "examples" / "service-portal.toml"):
        portal = load(file).portal
        assert portal is not None
        assert (portal.port, portal.url) == (9580, "https://portal.netlaputa.example")


def test_the_commands_work(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path}/op25b.db")
    (tmp_path / "policy.toml").write_text((ROOT / "examples" / "netlaputa.toml").read_text())
    commands = [line for line in re.findall(r"^ {4}((?:op25b|export) .*)$", PAGE, re.M) if " serve " not in line]
    script = "\n".join(["set -eu", f'op25b() {{ {sys.executable} -m op25b "$@"; }}', *commands])
    script = script.replace("/etc/op25b", str(tmp_path)).replace("/var/lib/op25b", str(tmp_path))
    done = subprocess.run(["bash", "-c", script], text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for line in ("bulletin 2 is added", "The mail servers are down.", "bulletin 1 is over at"):
        assert line in done.stdout
