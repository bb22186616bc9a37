"""The how-to of the desk is run as it stands, in a folder that stands for /etc and /var."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-to-exempt.md").read_text()
POLICY = """
[provider]
name = "netlaputa"
display = { ja = "ラピュタ", en = "Laputa" }
time_zone = "Asia/Tokyo"

[[provider.contacts]]
kind = "mail"
address = "support@netlaputa.example"
taken = "always"

[[pools]]
name = "lines"
assignment = "dynamic"
prefixes = ["198.18.0.0/22", "2001:db8::/48"]
"""
PREAMBLE = f"""
set -eu
op25b() {{ {sys.executable} -m op25b "$@"; }}
systemctl() {{
    {sys.executable} -m op25b serve etc/service.toml 2> log &
    trap "kill $!; wait $!" EXIT
    timeout 60 sh -c 'until curl -sf http://127.0.0.1:9528/terms > terms; do sleep 0.1; done' || cat log
}}
"""


def script(folder: Path) -> str:
    """The page's commands in their order."""
    terms, service = (re.search(rf"```toml\n# {each}.*\n([^`]*)```", PAGE) for each in ("\\S+policy", "\\S+service"))
    assert terms is not None
    assert service is not None
    (folder / "etc").mkdir()
    (folder / "etc" / "policy.toml").write_text(POLICY + terms[1])
    (folder / "etc" / "service.toml").write_text(service[1].replace("/var/lib/op25b", str(folder)))
    commands = "\n".join(re.findall(r"^ {4}(\S.*)$", PAGE, re.M))
    return PREAMBLE + commands.replace("/etc/op25b", f"{folder}/etc").replace("/var/lib/op25b", str(folder))


@pytest.mark.timeout(300)
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    for tool in ("curl", "bash"):
        if subprocess.run(["which", tool], capture_output=True).returncode:
            pytest.skip(f"needs {tool}")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OP25B_")}
    done = subprocess.run(
        ["bash", "-c", script(tmp_path)], cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=280
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    for line in (
        "exemption 1 is granted",
        "own-domain=uses the domain of its association",
        "approved by hanako; another person's approval is needed",
        "exemption 3 is granted",
        "exemption 2 is revoked",
        "500 yen a month",
        "console  desk",
    ):
        assert line in done.stdout, line
    assert '"id":4' in done.stdout
    assert '"state":"granted"' in done.stdout
    token = (tmp_path / "hanako.token").read_text().strip()
    assert token not in (tmp_path / "log").read_text() + (tmp_path / "etc" / "api-tokens").read_text()
