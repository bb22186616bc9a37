"""A how-to page is run as it stands: in namespaces of its own, with the files of this machine below an overlay.

What is not there is stood in for: the service manager, and the change of user, who may not reach this checkout.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_PREAMBLE = f"""
set -eux
for each in /etc /var; do
    mkdir -p $SCRATCH$each/upper $SCRATCH$each/work
    mount -t overlay overlay -o lowerdir=$each,upperdir=$SCRATCH$each/upper,workdir=$SCRATCH$each/work $each
done
mount -t tmpfs none /run
mkdir /run/op25b
ip link set lo up
op25b() {{ {sys.executable} -m op25b "$@"; }}
runuser() {{ shift 3; "$@"; }}
# its folders belong to who serves: root has no privilege over others' there
install() {{ command install "${{@/#op25b/root}}"; }}
pids=
systemctl() {{
    case "$1" in
    enable)
        file=$(sed -n 's/^ExecStart=.* //p' /etc/systemd/system/$3.service)
        port=$(sed -n '/^\\[health\\]/,$ s/^port = //p' $file)
        {sys.executable} -m op25b serve $file 2> $SCRATCH/$3.log &
        pids="$! $pids"
        healthy="curl -sf http://127.0.0.1:${{port:-9525}}/healthz"
        timeout 60 sh -c "until $healthy; do sleep 0.1; done" || cat $SCRATCH/$3.log;;
    reload) kill -HUP ${{pids%% *}};;
    esac
}}
cd {ROOT}
"""
_END = """
for pid in $pids; do
    kill $pid
    wait $pid
done
"""


def script(page: str, first: str = "", last: str = "") -> str:
    """The page's commands in their order, and its files where it says that they are."""
    found = []
    for block in re.finditer(r"```toml\n# (\S+)\n([^`]*)```|^ {4,8}(\S.*)$|```text\n[^`]*```", page, re.M):
        if block[1]:
            found.append(f"cat > {block[1]} <<'TOML'\n{block[2]}TOML")
        elif block[3]:
            found.append(block[3])
    return "\n".join([_PREAMBLE, first, *found, last, _END])


def run(script: str, folder: Path, tools: Iterable[str]) -> str:
    """What it prints; skips the test where it cannot be run."""
    for tool in tools:
        if subprocess.run(["which", tool], capture_output=True).returncode:
            pytest.skip(f"needs {tool}")
    (folder / "scratch").mkdir()
    (folder / "commands").write_text(script)
    inner = f"mount -t tmpfs none $SCRATCH && exec bash {folder}/commands"
    done = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", inner],
        stdin=subprocess.DEVNULL,
        env=os.environ | {"SCRATCH": str(folder / "scratch")},
        text=True,
        capture_output=True,
        timeout=280,
    )
    if "overlay" in done.stderr.rsplit("\n", 2)[-2]:
        pytest.skip("no overlay file systems here")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout
