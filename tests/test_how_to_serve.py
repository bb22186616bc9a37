"""The how-to is run as it stands: in namespaces of its own, with the files of this machine below an overlay.

What is not there is stood in for: the service manager, and the change of user, who may not reach this checkout.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-to-serve.md").read_text()
TOOLS = ("swaks", "curl", "openssl", "unshare", "useradd")

PREAMBLE = f"""
set -eux
for each in /etc /var; do
    mkdir -p $SCRATCH$each/upper $SCRATCH$each/work
    mount -t overlay overlay -o lowerdir=$each,upperdir=$SCRATCH$each/upper,workdir=$SCRATCH$each/work $each
done
ip link set lo up
ip addr add 192.0.2.10/32 dev lo
echo 192.0.2.10 mail.netlaputa.example >> /etc/hosts
: > /etc/resolv.conf
op25b() {{ {sys.executable} -m op25b "$@"; }}
runuser() {{ shift 3; "$@"; }}
systemctl() {{
    case "$1" in
    enable) {sys.executable} -m op25b serve /etc/op25b/service.toml 2> $SCRATCH/log &
        pid=$!
        timeout 60 sh -c 'until curl -sf http://127.0.0.1:9525/healthz; do sleep 0.1; done' || cat $SCRATCH/log;;
    reload) kill -HUP $pid;;
    esac
}}
cd {ROOT}
"""
END = """
kill $pid
wait $pid
"""


def script() -> str:
    """The page's commands in their order, and its files where it says that they are."""
    found = []
    for block in re.finditer(r"```toml\n# (\S+)\n([^`]*)```|^ {4,8}(\S.*)$|```text\n[^`]*```", PAGE, re.M):
        if block[1]:
            found.append(f"cat > {block[1]} <<'TOML'\n{block[2]}TOML")
        elif block[3]:
            found.append(block[3])
    return "\n".join([PREAMBLE, *found, END])


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces and overlays")
@pytest.mark.timeout(300)
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    for tool in TOOLS:
        if subprocess.run(["which", tool], capture_output=True).returncode:
            pytest.skip(f"needs {tool}")
    (tmp_path / "scratch").mkdir()
    (tmp_path / "commands").write_text(script())
    inner = f"mount -t tmpfs none $SCRATCH && exec bash {tmp_path}/commands"
    done = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", inner],
        stdin=subprocess.DEVNULL,
        env=os.environ | {"SCRATCH": str(tmp_path / "scratch")},
        text=True,
        capture_output=True,
        timeout=280,
    )
    if "overlay" in done.stderr.rsplit("\n", 2)[-2]:
        pytest.skip("no overlay file systems here")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert done.stdout.count("250 2.0.0 queued as") == 2
    assert "someone@elsewhere.example" in done.stdout
    assert '"relay": "ok"' in done.stdout
    assert "released: 0 messages" in done.stdout
    assert "dropped: 2 messages" in done.stdout
    assert re.search(r'e2026\._domainkey\S+ TXT "v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}="', done.stdout)
    assert not Path("/var/lib/op25b/op25b.db").exists()


def test_the_page_has_commands() -> None:
    assert script().count("\nop25b ") > 8
    assert "cat > /etc/op25b/service.toml" in script()
