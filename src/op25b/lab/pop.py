"""POP before SMTP in the lab: a real Dovecot on the own servers, which reports log-ins to op25b, and time that passes.

Nobody waits for the policy's minutes: the service runs under libfaketime, and its clock is put forward.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from pathlib import Path

from op25b.errors import Missing
from op25b.lab.holder import WORK
from op25b.lab.hosts import Lab
from op25b.lab.namespaces import environment
from op25b.lab.servers import MAILBOXES, PASSWORD, Service

SECRET = "pop.secret"
_CLOCK = "clock"
_REPORT_SECONDS = 10.0


def dovecot_conf(service: Service, directory: str, passwd: str) -> str:
    """Pure: the settings of a Dovecot whose files are below `directory`; op25b's own part is beside it."""
    return f"""\
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
listen = {" ".join(map(str, service.addresses))}
protocols = pop3
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{WORK}/{MAILBOXES}/inbox
passdb {{
  driver = passwd-file
  args = username_format=%u {passwd}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={WORK}/{MAILBOXES}
}}
!include op25b.conf
"""


def prepare(lab: Lab, service: Service) -> None:
    """The files of the service that are about POP."""
    folder = lab.files / service.name
    (folder / _CLOCK).write_text("+0")
    secret = folder / "etc" / SECRET
    secret.touch(0o600)
    secret.write_text(secrets.token_hex(16))


def begin(lab: Lab, service: Service, passwd: str) -> subprocess.Popen[str]:
    """Start Dovecot as an operator does: with what `op25b integrate dovecot` prints. It has started when this ends."""
    folder = lab.files / "dovecot"
    folder.mkdir()
    (folder / "dovecot.conf").write_text(dovecot_conf(service, f"{WORK}/dovecot", passwd))
    print_ours = f"{sys.executable} -m op25b integrate dovecot {WORK}/{service.name}/service.toml"
    script = f"cd {WORK}/dovecot && {print_ours} >op25b.conf && exec dovecot -c {WORK}/dovecot/dovecot.conf"
    with (folder / "started").open("w") as said:
        return subprocess.Popen(
            lab.command(service.host, ["sh", "-c", script]),
            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, text=True, env=environment(),
        )  # fmt: skip


def wait(lab: Lab, starting: subprocess.Popen[str], seconds: float) -> None:
    """Until Dovecot serves. Raises Missing with what it said instead."""
    if starting.wait(seconds):
        raise Missing(f"Dovecot did not start: {(lab.files / 'dovecot' / 'started').read_text().strip()}")


def clock(service: Service) -> list[str]:
    """What a command is begun with so that its time of day, and nothing else, can be put forward."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        raise Missing("the lab needs libfaketime: apt-get install libfaketime")
    file = f"{WORK}/{service.name}/{_CLOCK}"
    settings = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": file,
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    # for the service alone, not for what enters the lab before it
    return ["env", *(f"{name}={value}" for name, value in settings.items())]


def put_forward(lab: Lab, minutes: int) -> None:
    """A little more than so many minutes pass for the service that log-ins are reported to."""
    file = lab.files / lab.read_by_pop[0].name / _CLOCK
    file.write_text(f"+{int(file.read_text()) + minutes * 60 + 1}")


def read_mail(lab: Lab, host: str, source: str) -> None:
    """The user of a host looks for new mail from one of its addresses; returns when the service has heard of it.

    Raises subprocess.SubprocessError if Dovecot does not let them, or does not report it.
    """
    log = lab.files / lab.read_by_pop[0].name / "log"
    before = log.stat().st_size
    account = lab.plan.accounts[host]
    command = [
        "curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "10", "--interface", source,
        "-6" if ":" in source else "-4", "--user", f"{account.name}:{PASSWORD}", f"pop3://{account.server}/",
    ]  # fmt: skip
    lab.run(host, command, check=True)
    deadline = time.monotonic() + _REPORT_SECONDS
    while time.monotonic() < deadline:
        for line in log.read_bytes()[before:].splitlines():
            # a line may be written only half yet
            said = json.loads(line) if line.endswith(b"}") else {}
            if (said.get("event"), said.get("address")) == ("log-in by POP", source):
                return
        time.sleep(0.01)
    raise subprocess.SubprocessError(f"Dovecot did not report a log-in from {source}")
