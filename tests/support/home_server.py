"""A customer's host with a mail server of his own, and the provider's op25b on another, with a wire between them.

The servers' Debian packages conflict with each other, and with the postfix that other tests use. So each is unpacked,
and laid over the files of this machine in namespaces of its own: there it is as if it were installed.
"""

from __future__ import annotations

import os
import re
import shlex
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.mailservers.debs import unpacked
from op25b.errors import Missing
from tests.support.running import PROGRAM
from tests.support.service import HOST, POLICY, Service
from tests.support.trio import Namespace

PROVIDER, HOME = "192.0.2.25", "192.0.2.65"
_FILE = re.compile(r"^(?:#|dnl) (/[^\s,]+)(?: \((?:mode (\d+))?(?:; )?(?:then: (.+))?\))?.*\n", re.M)
_HOST = """
mkdir "$SCRATCH"
mount -t tmpfs none "$SCRATCH"
for each in usr etc var; do
    mkdir -p "$SCRATCH/$each/upper" "$SCRATCH/$each/work"
    lower=/$each
    if [ -d "$PACKAGE/$each" ]; then lower=$PACKAGE/$each:$lower; fi
    mount -t overlay overlay -o "lowerdir=$lower,upperdir=$SCRATCH/$each/upper,workdir=$SCRATCH/$each/work" "/$each"
done
mount -t tmpfs none /run
cp "$AUTHORITY" /etc/ssl/certs/ca-certificates.crt
hostname home.example
printf '127.0.0.1 localhost\\n' > /etc/hosts
printf 'nameserver 127.0.0.1\\n' > /etc/resolv.conf
dnsmasq --keep-in-foreground --no-resolv --no-hosts --user=root --pid-file= --local=/#/ \\
    --host-record=$NAMES,$PROVIDER --host-record=$PLAIN,$STRANGER --host-record=home.example,$HOME_ADDRESS &
# for the mail, and for what is on the way into a configuration
mount -t tmpfs none /mnt
umask 022
user() { echo "$1:x:$2:$2::/nonexistent:/usr/sbin/nologin" >> /etc/passwd; echo "$1:x:$2:" >> /etc/group; }
soon() { timeout 30 sh -c "until $1; do sleep 0.05; done"; }
"""
ALIAS = "smtp.netlaputa.example"
"""Leads to the provider's server too, whose certificate is not for that name."""
STRANGER = "192.0.2.26"
PLAIN = "plain.netlaputa.example"
"""Leads to a stranger, who asks for the password without TLS."""


@dataclass
class Provider(Service):
    """On 587 and 465 of an address of its own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ports = [587, 465, 2525, 9525]
        self.write_config()

    def write_config(self) -> None:
        super().write_config()
        self.config.write_text(self.config.read_text().replace("127.0.0.1", PROVIDER))


@dataclass(frozen=True)
class Street:
    """The provider at work, and the host at home."""

    provider: Provider
    home: Namespace
    heard: list[str]
    """The commands that the stranger got."""

    def run(self, package: str, authority: Path, script: str, scratch: Path) -> str:
        """Run a script at home, where the package is and the authority is trusted; what it said. Skips without it."""
        try:
            files = unpacked(package) if package else Path("/nowhere")
        except Missing as missing:
            pytest.skip(str(missing))
        known = {
            "SCRATCH": scratch, "PACKAGE": files, "AUTHORITY": authority, "NAMES": f"{HOST},{ALIAS}",
            "PROVIDER": PROVIDER, "PLAIN": PLAIN, "STRANGER": STRANGER, "HOME_ADDRESS": HOME,
        }  # fmt: skip
        done = subprocess.run(
            ["nsenter", f"--net=/proc/self/fd/{self.home.fd}", "--",
             "unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc",
             "sh", "-euc", _HOST + script],
            env=os.environ | {name: str(value) for name, value in known.items()}, pass_fds=[self.home.fd],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout


@contextmanager
def street(folder: Path) -> Iterator[Street]:
    """Two hosts, the provider's at work."""
    provider, home = Namespace(), Namespace()
    try:
        peer = f"/proc/self/fd/{home.fd}"
        provider.run("ip", "link", "add", "eth0", "type", "veth", "peer", "eth0", "netns", peer, also=(home.fd,))
        for host, address in ((provider, PROVIDER), (home, HOME)):
            host.run("ip", "link", "set", "lo", "up")
            host.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
            host.run("ip", "link", "set", "eth0", "up")
        provider.run("ip", "address", "add", f"{STRANGER}/24", "dev", "eth0")
        inside = ("nsenter", f"--net=/proc/{os.getpid()}/fd/{provider.fd}", "--")
        made = Provider(folder, program=(*inside, *PROGRAM), policy=POLICY.replace("127.0.0.1", PROVIDER))
        with made, stranger(provider) as heard:
            yield Street(made, home, heard)
    finally:
        provider.close()
        home.close()


@contextmanager
def stranger(where: Namespace) -> Iterator[list[str]]:
    """A server on 587 that offers AUTH and no STARTTLS, and takes whatever comes; the commands it was given."""
    heard: list[str] = []

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 stranger\r\n")
            for line in self.rfile:
                command = line.decode().rstrip()
                heard.append(command)
                if command.upper() == "QUIT":
                    return
                offers = b"250-stranger\r\n250 AUTH PLAIN LOGIN\r\n"
                self.wfile.write(offers if command.upper().startswith("EHLO") else b"250 2.0.0 Ok\r\n")

    def made() -> socketserver.ThreadingTCPServer:
        return socketserver.ThreadingTCPServer((STRANGER, 587), Session)

    with where.inside(made) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield heard
        finally:
            server.shutdown()
            thread.join()


def written(sample: str) -> Iterator[tuple[str, str, str]]:
    """(path, text, command) of each file that a sample shows; the command is what it says to do when it is there."""
    parts = _FILE.split(sample)[1:]
    for path, mode, then, text in zip(*(parts[number::4] for number in range(4)), strict=True):
        yield path, text, "\n".join(filter(None, [mode and f"chmod {mode} {path}", then]))


def put(path: str, text: str, then: str = "") -> str:
    """The script that writes a file."""
    return f"mkdir -p {Path(path).parent}\nprintf %s {shlex.quote(text)} > {path}\n{then}\n"
