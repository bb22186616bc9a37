"""A real Postfix of a test's own, on the loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from op25b.lab.mailserver import known_parameters

NOBODY = 65534
"""Owns the folder, so that virtual(8) can make mailboxes in it."""
_SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@contextmanager
def folder() -> Iterator[Path]:
    """Where a Postfix may live: its processes give up root and must still reach it."""
    made = Path(mkdtemp(prefix="postfix-", dir="/var/tmp"))
    (made / "etc").mkdir()
    for name in ("queue", "data"):
        (made / name).mkdir()
    shutil.chown(made / "data", "postfix")
    os.chown(made, NOBODY, NOBODY)
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@contextmanager
def running(directory: Path, listeners: str, settings: Mapping[str, object]) -> Iterator[None]:
    """Postfix at work in a `folder()`. `listeners`: lines of master.cf(5); `settings` beside the usual ones.

    Parameters that the installed version does not know are left out.
    """
    usual = {
        "compatibility_level": "3.6",
        "mydestination": "",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "queue_directory": directory / "queue",
        "data_directory": directory / "data",
        "maillog_file_prefixes": directory,
        "maillog_file": directory / "log",
        "alias_maps": "",
        "alias_database": "",
        "disable_dns_lookups": "yes",
        "smtpd_peername_lookup": "no",
        "smtpd_forbid_bare_newline": "normalize",
        "smtpd_forbid_unauth_pipelining": "yes",
    }
    known = known_parameters()
    etc = directory / "etc"
    lines = [f"{key} = {value}\n" for key, value in (usual | dict(settings)).items() if key in known]
    (etc / "main.cf").write_text("".join(lines))
    (etc / "master.cf").write_text(listeners + _SERVICES)
    for name in ("main.cf", "master.cf"):
        os.utime(etc / name, (0, 0))  # Postfix waits two seconds over a fresh file, in case its author is not done
    command = ["postfix", "-c", str(etc)]
    subprocess.run([*command, "start"], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True)
