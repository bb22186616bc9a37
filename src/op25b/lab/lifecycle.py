"""A lab's beginning and end. Both may be repeated at will, also after a crash at any instant."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from op25b.errors import Missing
from op25b.lab import crowd_server, mailserver, pages, pop, records, router, service, webmail_server
from op25b.lab.certificates import Authority
from op25b.lab.holder import WORK
from op25b.lab.hosts import Lab, run_inside, work_directory
from op25b.lab.leases import Status
from op25b.lab.namespaces import end, environment, start
from op25b.lab.network import build_script
from op25b.lab.plan import Provider, lab_plan
from op25b.lab.records import Record
from op25b.lab.servers import MailServer

_BUILD_SECONDS = 60
# Program -> Debian package that has it.
_TOOLS = {
    "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "ip": "iproute2",
    "nft": "nftables", "swaks": "swaks", "curl": "curl", "msmtp": "msmtp",
}  # fmt: skip
_READY = "provider.json"  # written last: a lab without it was never finished


def up(name: str, provider: Provider, *, now: datetime, directory: Path, policy: str = "") -> Lab:
    """Start the lab called `name`, or give the one that runs already for the same provider.

    `now` is aware and dates the certificates, `directory` holds the records, `policy` is only remembered.
    A lab left unfinished, or made for something else, is ended first. Raises Missing when namespaces or
    programs are missing, and ValueError when no plan can be made for the provider.
    """
    plan = lab_plan(provider)
    _check_tools(_TOOLS)
    with records.locked(directory, name) as path:
        running = records.read(directory, name)
        if running is not None:
            if _provider_of(running) == provider:
                return Lab(name, plan, running, _mail_program(running))
            end(running)
        try:
            start(policy, lambda started: records.write(path, started))
            record = records.read(directory, name)
            assert record is not None
            lab = Lab(name, plan, record, _mail_program(record))
            _check_tools({"dovecot": "dovecot-pop3d"} if lab.read_by_pop else {})
            _check_tools({"radclient": "freeradius-utils"} if provider.router else {})
            _check_tools({"freeradius": "freeradius freeradius-rest"} if provider.router and lab.has_freeradius else {})
            _build(lab, now, provider)
            _mark_ready(record, provider)
        except BaseException:
            _forget(directory, name)
            raise
    return lab


def attach(name: str, *, directory: Path) -> Lab | None:
    """The finished lab of that name, or None."""
    record = records.read(directory, name)
    provider = _provider_of(record) if record else None
    if record is None or provider is None:
        return None
    return Lab(name, lab_plan(provider), record, _mail_program(record))


def down(name: str, *, directory: Path) -> bool:
    """End the lab of that name, finished or not; False when there was none."""
    with records.locked(directory, name):
        return _forget(directory, name)


def _forget(directory: Path, name: str) -> bool:
    record = records.read(directory, name)
    if record is not None:
        end(record)
    records.remove(directory, name)
    return record is not None


def _build(lab: Lab, now: datetime, provider: Provider) -> None:
    try:
        run_inside(lab.record, ["sh", "-e"], seconds=_BUILD_SECONDS, input=build_script(lab.plan))
        hosts = "".join(f"{address} {name}\n" for address, name in lab.plan.names())
        (lab.files / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{hosts}")
        service.make_store(lab, now)
        starting = router.Starting.begin(lab, provider.policy) if provider.router else None
        showing = pages.begin(lab, provider.policy) if provider.pages else None
        _start_mail(lab, Authority.new(now), provider.policy)
        lab.spawn("crowd", [sys.executable, "-I", "-S", crowd_server.__file__])
        relay = lab.plan.host("foreign").addresses[0]
        # webmail elsewhere, and the provider's own
        for host in ("web", "mail"):
            listen = map(str, lab.plan.host(host).addresses)
            lab.spawn(host, [sys.executable, "-I", "-S", webmail_server.__file__, str(relay), *listen])
        if showing:
            showing.wait()
        if starting:
            starting.wait(lab, _BUILD_SECONDS)
            router.report(lab, ((Status.START, lease) for lease in lab.plan.leases()))
    except subprocess.CalledProcessError as error:
        raise Missing(f"the lab could not be built: {error.output.strip() or error}") from error


def _start_mail(lab: Lab, authority: Authority, policy: str) -> None:
    (lab.files / "authority.pem").write_bytes(authority.pem())
    service.write_services(lab, authority, policy)
    starting = [service.begin(lab, each) for each in lab.plan.services]
    readers = [pop.begin(lab, each, f"{WORK}/{service.PASSWD}") for each in lab.read_by_pop]
    for server in lab.plan.mail_servers:
        key, certificate = authority.issue(server.names, server.addresses)
        etc = lab.files / server.name / "etc"
        etc.mkdir(parents=True)
        (etc / "key.pem").write_bytes(key)
        (etc / "key.pem").chmod(0o600)
        (etc / "cert.pem").write_bytes(certificate)
    if lab.mail_program == "postfix":
        _start_postfix(lab, lab.plan.mail_servers)
    else:
        for server in lab.plan.mail_servers:
            root = lab.files / server.name
            lab.spawn(server.host, mailserver.standin_command(server, root, f"{WORK}/{server.name}"))
    for each in starting:
        each.wait()
    for reader in readers:
        pop.wait(lab, reader, _BUILD_SECONDS)


def _start_postfix(lab: Lab, servers: Sequence[MailServer]) -> None:
    """All at once: each takes a second, most of it waiting."""
    known = mailserver.known_parameters()
    starting = []
    for server in servers:
        directory = f"{WORK}/{server.name}"
        mailserver.write_postfix(server, lab.files / server.name, directory, known)
        command = lab.command(server.host, mailserver.postfix_command(directory))
        starting.append(
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, env=environment(),
            )
        )  # fmt: skip
    for server, process in zip(servers, starting, strict=True):
        output, _ = process.communicate(timeout=_BUILD_SECONDS)
        if process.returncode:
            log = lab.files / server.name / "log"
            output += log.read_text() if log.exists() else ""
            raise subprocess.CalledProcessError(process.returncode, process.args, output)


def _mail_program(record: Record) -> str:
    """Postfix wants its own user ids, which a user namespace of one id does not have."""
    ids = Path(f"/proc/{record.holder}/uid_map").read_text().split()[2::3]
    if sum(map(int, ids)) <= 65534:
        return "stand-in"
    _check_tools({"postfix": "postfix"})
    return "postfix"


def _check_tools(tools: dict[str, str]) -> None:
    path = environment()["PATH"]
    missing = {program: package for program, package in tools.items() if not shutil.which(program, path=path)}
    if "swaks" in tools and not _swaks_knows_ipv6():
        missing["swaks over IPv6"] = "libio-socket-inet6-perl"
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise Missing(f"the lab needs {', '.join(missing)}: apt-get install {packages}")


def _swaks_knows_ipv6() -> bool:
    module = ["perl", "-MIO::Socket::INET6", "-e1"]
    return subprocess.run(module, stderr=subprocess.DEVNULL, env=environment(), check=False).returncode == 0


def _mark_ready(record: Record, provider: Provider) -> None:
    unfinished = work_directory(record) / f"{_READY}.new"
    unfinished.write_text(json.dumps(asdict(provider)))
    unfinished.rename(work_directory(record) / _READY)


def _provider_of(record: Record) -> Provider | None:
    """What a finished lab was built for; None for one that was never finished."""
    try:
        text = (work_directory(record) / _READY).read_bytes()
    except FileNotFoundError:
        return None
    return TypeAdapter(Provider).validate_json(text)
