"""The lab of a user who is not root: user namespaces, and stand-ins for the mail servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"

# Seen by a user who may not read root's home: the interpreter, its packages and the source, bound to /mnt.
AS_NOBODY = """
mount -t tmpfs -o mode=755 none /mnt && cd /mnt
mkdir python packages src
mount --bind "$1" python && mount --bind "$2" packages && mount --bind "$3" src
export PYTHONPATH=/mnt/src:/mnt/packages LD_LIBRARY_PATH=/mnt/python/lib HOME=/nonexistent
exec setpriv --reuid=nobody --regid=nogroup --clear-groups "/mnt/python/bin/$4" -c "$5"
"""

SESSION = """
import json, os, subprocess, sys, tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from op25b.lab import Login, OwnServer, Pool, Provider, To, attempt, clients, down, up
from op25b.lab.servers import PASSWORD

assert os.getuid() != 0
policy = \"\"\"
[provider]
name = "toy"
display = { ja = "toy", en = "toy" }
time_zone = "Asia/Tokyo"
[[own_servers]]
name = "mail"
hosts = ["mail.toy.example"]
addresses = ["192.0.2.5", "2001:db8:1::25"]
ports = [25, 587]
[[pools]]
name = "flets"
prefixes = ["192.0.2.0/25", "2001:db8:1::/48"]
\"\"\"
provider = Provider(
    "toy",
    (Pool("flets", ("192.0.2.0/25", "2001:db8:1::/48")),),
    (OwnServer("mail", ("mail.toy.example",), ("192.0.2.5", "2001:db8:1::25"), (25, 587)),),
    home_servers=("flets",),
    policy=policy,
    domains=("toy.example",),
    pop=True,
    router=True,
)
told = {}
with tempfile.TemporaryDirectory() as name:
    lab = up("toy", provider, now=datetime.now(UTC), directory=Path(name))
    try:
        told["mail"] = lab.mail_program
        tries = []
        box, theirs = lab.mailbox("foreign"), lab.plan.host("foreign")
        makes = (clients.swaks, clients.curl, clients.smtplib)
        for make, version, port in zip(makes * 2, (4, 4, 4, 6, 6, 6), (25, 587, 465, 465, 25, 587)):
            mail = clients.Message(f"try{len(tries)}-")
            tried = attempt(lab, "sub-flets", make(mail, To(str(theirs.address(version)), port, lab.authority)))
            arrived = box.wait(mail.token, 5) is not None
            tries.append([tried.program, port, tried.exit_code, tried.outcome.kind, arrived, tried.output[-200:]])
        told["tries"] = tries
        account = lab.plan.accounts["sub-flets"]
        mail = clients.Message("relayed", account.name)
        to = To(account.server, 587, lab.authority, login=Login(account.name, PASSWORD))
        attempt(lab, "sub-flets", clients.smtplib(mail, to))
        told["relayed"] = box.wait(mail.token, 5) is not None
        mail = clients.Message("smarthost", "via587@home.example")
        home = To(str(lab.plan.host("sub-flets").address(4)), 25, lab.authority)
        attempt(lab, "sub-flets", clients.smtplib(mail, home))
        told["smart host"] = box.wait(mail.token, 5) is not None
        mail = clients.Message("inward", recipient=account.name)
        attempt(lab, "offnet", clients.smtplib(mail, To("192.0.2.5", 25, lab.authority)))
        told["inward"] = lab.mailbox("mailboxes").wait(mail.token, 5) is not None
        stranger = attempt(lab, "offnet", clients.swaks(mail, To("192.0.2.5", 587, lab.authority)))
        told["stranger"] = stranger.answer
        told["read by POP"] = len(lab.read_by_pop)
        web = clients.webmail(clients.Message("page"), str(lab.plan.host("web").address(6)))
        told["web"] = [attempt(lab, "sub-flets", web).exit_code, box.wait("page", 5) is not None]
        url = "http://127.0.0.1:9525"
        told["router"] = json.loads(lab.run("edge", ["curl", "--silent", f"{url}/healthz"]).stdout)
        told["metrics"] = lab.run("edge", ["curl", "--silent", f"{url}/metrics"]).stdout.splitlines()
        rules = "table inet x { chain f { type filter hook forward priority 0;\\n" \\
            "tcp dport 25 reject with tcp reset\\n}\\n}\\n"
        lab.run("edge", ["nft", "-f", "-"], input=rules, check=True)
        refused = attempt(lab, "sub-flets", clients.connect(str(theirs.address(4)), 25))
        told["refused"] = [refused.outcome.kind, refused.outcome.here]
    finally:
        down("toy", directory=Path(name))
    told["alive"] = lab.record.alive
print(json.dumps(told))
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_user_without_rights_gets_the_same_lab_with_stand_ins() -> None:
    packages, python = sysconfig.get_path("purelib"), Path(sys.executable).resolve().name
    arguments = [sys.base_prefix, packages, str(SOURCE), python, SESSION]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", AS_NOBODY, "sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["mail"] == "stand-in"
    for program, port, status, kind, arrived, output in told["tries"]:
        assert (status, kind, arrived) == (0, "connected", True), (program, port, output)
    assert told["relayed"]
    assert told["smart host"]
    assert told["inward"]
    assert told["stranger"] == "530 5.7.0"
    assert told["read by POP"] == 0
    assert told["web"] == [0, True]
    # the enforcer holds its capability in a user namespace too; leases came by op25b's own RADIUS port
    assert told["router"]["enforcer"] == told["router"]["leases"] == "ok"
    assert "op25b_leases_reports_total 1.0" in told["metrics"]
    assert told["refused"] == ["reset", True]
    assert told["alive"] is False


UP = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from op25b.errors import Missing
from op25b.lab import Pool, Provider, up
try:
    provider = Provider("toy", (Pool("a", ("192.0.2.0/24",)),), ())
    up("toy", provider, now=datetime.now(UTC), directory=Path(sys.argv[1]))
except Missing as error:
    print(error)
"""


def test_a_kernel_that_forbids_namespaces_is_named(tmp_path: Path) -> None:
    forbid = 'echo 0 >/proc/sys/user/max_net_namespaces; exec "$@"'
    inside = ["unshare", "--user", "--map-root-user", "sh", "-ec", forbid, "sh"]
    done = subprocess.run(
        [*inside, sys.executable, "-c", UP, str(tmp_path)],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    assert "may not make them" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.root
def test_a_missing_program_is_named_with_its_package(tmp_path: Path) -> None:
    hide = 'mount --bind /dev/null "$(command -v curl)"; exec "$@"'
    inside = ["unshare", "--mount", "sh", "-ec", hide, "sh"]
    done = subprocess.run(
        [*inside, sys.executable, "-c", UP, str(tmp_path)],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    assert done.stdout == "the lab needs curl: apt-get install curl\n", done.stderr
