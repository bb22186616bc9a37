"""The provider's own servers in the lab: `op25b serve` itself, with accounts taken over from the POP server's file."""

from __future__ import annotations

import base64
import hashlib
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from op25b.errors import Missing
from op25b.lab import pop
from op25b.lab.certificates import Authority
from op25b.lab.holder import WORK
from op25b.lab.hosts import Lab
from op25b.lab.namespaces import environment
from op25b.lab.plan import LabPlan
from op25b.lab.servers import HOME_DOMAIN, PASSWORD, Account, Service
from op25b.store import Store, upgrade
from op25b.store.audit import By
from op25b.subscribers.accounts import Accounts, New
from op25b.subscribers.importing import parse
from op25b.subscribers.passwords import Hasher

_STORE = "op25b.db"
STORE = f"sqlite:///{WORK}/{_STORE}"
"""That of the whole provider: accounts, leases, exemptions, cases."""
PASSWD = "passwd"
_READY_SECONDS = 60.0
_PORTS = 9525


def passwd_file(accounts: Iterable[Account]) -> str:
    """Pure: Dovecot's passwd-file, one line an account."""
    salt = b"lab"
    hashed = base64.b64encode(hashlib.sha256(PASSWORD.encode() + salt).digest() + salt).decode()
    return "".join(f"{account.name}:{{SSHA256}}{hashed}\n" for account in accounts)


def service_toml(service: Service, index: int) -> str:
    """Pure: what `op25b serve` is told. `index` keeps several on one host apart."""
    listen = "".join(
        f'[[submission.listen]]\naddress = "{address}"\nport = {port}\n'
        f'tls = "{"implicit" if port == 465 else "starttls"}"\nrole = "{"relay" if port == 25 else "submission"}"\n'
        for address in service.addresses
        for port in service.ports
    )
    pairs = "".join(
        f'[[submission.certificates]]\ncertificate = "etc/{name}.pem"\nkey = "etc/{name}.key"\n'
        for name in service.names
    )
    routes = "".join(f'[[relay.routes]]\ndomain = "{domain}"\nhost = "{hop}"\n' for domain, hop in service.routes)
    reports = f'[pop]\nport = {_PORTS + 2 * index + 1}\nsecret_file = "etc/{pop.SECRET}"\n' if service.pop else ""
    local = ", ".join(f'"{domain}"' for domain in service.local_domains)
    return f"""\
policy = "policy.toml"
store = "{STORE}"
[submission]
hostname = "{service.names[0]}"
server = "{service.server}"
spool = "spool"
workers = 1
local_domains = [{local}]
{pairs}{listen}{routes}{reports}[health]
port = {_PORTS + 2 * index}
"""


def make_store(lab: Lab, now: datetime) -> None:
    """Make the store of all, with accounts as `op25b account import` does: the POP accounts' names and hashes.

    Who has a mail server at home may also send from that domain, and has a password that was set here: Postfix logs in
    with SCRAM where it is offered, and for hashes that were taken over there are no SCRAM keys before another log-in.
    """
    passwd = lab.files / PASSWD
    passwd.write_text(passwd_file(lab.plan.accounts.values()))
    lines, faults = parse(passwd.read_bytes(), None, lambda _: False)
    assert not faults
    at_home = {way.account for server in lab.plan.mail_servers for way in server.smart_hosts}
    new = []
    if lab.plan.accounts:
        new.append(New(name := notices_account(lab.plan).name, Hasher(os.urandom).make(PASSWORD), frozenset({name})))
    for line in lines:
        assert line.secret is not None
        if line.name in at_home:
            new.append(New(line.name, Hasher(os.urandom).make(PASSWORD), line.senders | {f"@{HOME_DOMAIN}"}))
        else:
            new.append(New(line.name, line.secret, line.senders))
    # SQLite follows links by itself, and the way into the lab's files is a link that only the kernel can follow
    with tempfile.TemporaryDirectory() as outside:
        url = f"sqlite:///{outside}/{_STORE}"
        upgrade(url)
        store = Store(url)
        try:
            Accounts(store).add(new, By("lab", now, "customers of the lab"))
        finally:
            store.close()
        shutil.copy(f"{outside}/{_STORE}", lab.files / _STORE)


def notices_account(plan: LabPlan) -> Account:
    """Pure: the account from which the provider's own notices are sent."""
    first = next(iter(plan.accounts.values()))
    return Account(f"notices@{first.name.partition('@')[2]}", first.server)


def write_services(lab: Lab, authority: Authority, policy: str) -> None:
    """The files of each own server: its configuration, the policy, and a certificate for each of its names."""
    for index, service in enumerate(lab.plan.services):
        folder = lab.files / service.name
        (folder / "etc").mkdir(parents=True)
        (folder / "policy.toml").write_text(policy)
        (folder / "service.toml").write_text(service_toml(service, index))
        for name in service.names:
            key, certificate = authority.issue([name], service.addresses)
            (folder / "etc" / f"{name}.pem").write_bytes(certificate)
            private = folder / "etc" / f"{name}.key"
            private.touch(0o600)
            private.write_bytes(key)
        if service.pop:
            pop.prepare(lab, service)


def begin(lab: Lab, service: Service) -> Starting:
    """Start one of the own servers."""
    clock = pop.clock(service) if service in lab.read_by_pop else []
    return Starting.begin(lab, service.host, service.name, clock)


@dataclass(frozen=True)
class Starting:
    """An `op25b serve` on its way up; what it says meanwhile goes into the file `log` in its folder."""

    name: str
    folder: Path
    notices: socket.socket
    process: subprocess.Popen[bytes]

    @classmethod
    def begin(cls, lab: Lab, host: str, name: str, clock: Sequence[str] = ()) -> Starting:
        """With the configuration that is in the folder `name`."""
        folder = lab.files / name
        notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notices.bind(str(folder / "notify"))
        command = [*clock, sys.executable, "-m", "op25b", "serve", f"{WORK}/{name}/service.toml"]
        with (folder / "log").open("wb") as log:
            # its standard output is never written to: it only tells us if the service ends
            process = subprocess.Popen(
                lab.command(host, ["setsid", "--fork", *command]),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=environment() | {"NOTIFY_SOCKET": f"{WORK}/{name}/notify"},
            )  # fmt: skip
        return cls(name, folder, notices, process)

    def wait(self) -> None:
        """Until it serves. Raises Missing with what it said instead."""
        assert self.process.stdout is not None
        with self.process, self.notices:
            while True:
                both = (self.notices.fileno(), self.process.stdout.fileno())
                readable, _, _ = select.select(both, [], [], _READY_SECONDS)
                if both[0] not in readable:
                    said = (self.folder / "log").read_text().strip()
                    raise Missing(f"op25b serve did not start as {self.name}: {said}")
                if b"READY=1" in self.notices.recv(4096):
                    break
        os.unlink(self.folder / "notify")
