"""The how-to of notices is run as it stands, against a real server, in a folder that stands for /etc and /var."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from tests.support.examples import FOLDER
from tests.support.running import eventually
from tests.support.service import Service
from tests.support.sink import Sink

PAGE = (Path(__file__).parents[1] / "docs" / "how-to-notify.md").read_text()


def script(folder: Path, service: Service) -> str:
    """The page's commands in their order."""
    (folder / "etc").mkdir()
    (folder / "etc" / "policy.toml").write_text((FOLDER / "nmtnet.toml").read_text())
    people = re.search(r"```csv\n([^`]*)```", PAGE)
    assert people is not None
    (folder / "etc" / "people.csv").write_text(people[1])
    (folder / "notice").write_bytes(b"")
    server = f"--server 127.0.0.1:{service.starttls} --ca {folder}/ca.pem"
    preamble = f"""
set -eux
op25b() {{
    case "$*" in notify*--dry-run) set -- "$@";; notify*) set -- "$@" {server};; esac
    {sys.executable} -m op25b "$@"
}}
"""
    commands = "\n".join(re.findall(r"^ {4}(\S.*)$", PAGE, re.M))
    return preamble + commands.replace("/etc/op25b", f"{folder}/etc").replace("/var/mail", str(folder))


@pytest.mark.timeout(300)
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    with Sink() as sink:
        relay = f'[relay]\nsmart_host = {{ host = "127.0.0.1", port = {sink.port} }}\n'
        with Service(tmp_path, tables=relay, parts=()) as service:
            environment = os.environ | {"OP25B_STORE": service.store}
            done = subprocess.run(
                ["bash", "-c", script(tmp_path, service)],
                cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=280, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
            eventually(lambda: len(sink.got) == 1)
    for line in (
        "waits for its date",
        "notice tentative: mail 1, fax 1, letter 1; nothing was sent",
        "people 3, sent 1, refused 0, letters 0, faxes 0, unreached 2",
        "people 3, sent 0, refused 0, letters 1, faxes 1, unreached 0",
    ):
        assert line in done.stdout, line
    message = message_from_bytes(sink.got[0].content, policy=default)
    assert str(message["To"]) == "徳島 太郎 <taro@nmtnet.example>"
    assert "https://portal.nmtnet.example/ja/setup" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr, attr-defined]
    password = (tmp_path / "etc" / "notice-password").read_text().strip()
    assert password not in done.stdout + done.stderr + (tmp_path / "log").read_text()
