"""A small SMTP server (RFC 5321, STARTTLS of RFC 3207) that takes Postfix's place where Postfix cannot run.

A program of its own, standard library only. Its argument is a JSON file: name, addresses, ports, domains
(delivered into the Maildir `inbox`), relay_for (networks whose mail for elsewhere is handed to port 25 of
relay_to), routes (domain: the address that its mail goes to instead; it is tried again for a while),
smart_hosts (sender: host, port, and user name or null, for mail that goes there instead, with password and
authority), key, certificate. It writes `ready` to standard output once it listens everywhere.
"""

from __future__ import annotations

import json
import mailbox
import os
import smtplib
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

WAITS = (1, 1, 2, 4, 8, 16)


@dataclass
class Settings:
    name: str
    addresses: list[str]
    ports: list[int]
    domains: list[str]
    relay_for: list[str]
    relay_to: str | None
    routes: dict[str, str]
    smart_hosts: dict[str, tuple[str, int, str | None]]
    password: str
    authority: str
    inbox: str
    key: str
    certificate: str
    context: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, self.key)

    def relays_for(self, client: str) -> bool:
        address = ip_address(client)
        return self.relay_to is not None and any(address in ip_network(n) for n in self.relay_for)

    def is_local(self, recipient: str) -> bool:
        return recipient.rpartition("@")[2].lower() in self.domains

    def relay(self, sender: str, recipients: list[str], message: bytes) -> None:
        host, port, user = self.smart_hosts.get(sender, (self.relay_to or "", 25, None))
        with smtplib.SMTP(host, port, local_hostname=self.name, timeout=10) as client:
            if user is not None:
                client.starttls(context=ssl.create_default_context(cafile=self.authority))
                client.login(user, self.password)
            client.sendmail(sender, recipients, message)

    def relay_later(self, sender: str, recipient: str, message: bytes) -> None:
        """As a mail queue does it: at longer and longer intervals."""
        address = self.routes[recipient.rpartition("@")[2]]
        for wait in WAITS:
            try:
                with smtplib.SMTP(address, 25, local_hostname=self.name, timeout=10) as client:
                    client.sendmail(sender, [recipient], message)
                    return
            except (OSError, smtplib.SMTPException):
                time.sleep(wait)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: str, port: int, settings: Settings) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.settings = settings
        self.port = port
        super().__init__((address, port), Dialog)


class Dialog(socketserver.StreamRequestHandler):
    server: Server

    def setup(self) -> None:
        self.encrypted = self.server.port == 465
        if self.encrypted:
            self.request = self.server.settings.context.wrap_socket(self.request, server_side=True)
        super().setup()
        self._forget()

    def _forget(self) -> None:
        self.sender: str | None = None
        self.recipients: list[str] = []

    def handle(self) -> None:
        self._say(220, f"{self.server.settings.name} ESMTP stand-in")
        commands: dict[str, Callable[[str], None]] = {
            "EHLO": self._ehlo, "HELO": self._ehlo, "STARTTLS": self._starttls, "MAIL": self._mail,
            "RCPT": self._rcpt, "DATA": self._data, "RSET": self._rset, "NOOP": self._rset,
        }  # fmt: skip
        while line := self.rfile.readline(1024):
            verb, _, rest = line.decode("ascii", "replace").strip().partition(" ")
            if verb.upper() == "QUIT":
                self._say(221, "bye")
                return
            commands.get(verb.upper(), self._unknown)(rest)

    def _ehlo(self, _: str) -> None:
        if self.encrypted:
            self._say(250, self.server.settings.name)
        else:
            self._say(250, self.server.settings.name, "STARTTLS")

    def _starttls(self, _: str) -> None:
        self._say(220, "go ahead")
        self.request = self.server.settings.context.wrap_socket(self.request, server_side=True)
        self.encrypted = True
        super().setup()  # new files over the encrypted socket; what came before in the clear is dropped
        self._forget()

    def _mail(self, rest: str) -> None:
        if self.server.port == 587 and not self.encrypted:
            self._say(530, "5.7.0 Must issue a STARTTLS command first")
            return
        self.sender = _path(rest)
        self._say(250, "2.1.0 Ok")

    def _rcpt(self, rest: str) -> None:
        recipient, settings = _path(rest), self.server.settings
        if self.sender is None:
            self._say(503, "5.5.1 need MAIL command")
        elif not settings.is_local(recipient) and not settings.relays_for(self.client_address[0]):
            self._say(554, "5.7.1 Relay access denied")
        else:
            self.recipients.append(recipient)
            self._say(250, "2.1.5 Ok")

    def _data(self, _: str) -> None:
        if not self.recipients:
            self._say(503, "5.5.1 need RCPT command")
            return
        self._say(354, "End data with <CR><LF>.<CR><LF>")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        client, name = self.client_address[0], self.server.settings.name
        received = f"Received: from [{client}] by {name} (stand-in)\r\n".encode()
        self._hand_on(received + b"".join(lines))
        self._forget()

    def _hand_on(self, message: bytes) -> None:
        settings = self.server.settings
        queued = [r for r in self.recipients if r.rpartition("@")[2] in settings.routes]
        elsewhere = [r for r in self.recipients if not settings.is_local(r) and r not in queued]
        for recipient in queued:
            given = (self.sender or "", recipient, message)
            threading.Thread(target=settings.relay_later, args=given, daemon=True).start()
        try:
            if elsewhere:
                settings.relay(self.sender or "", elsewhere, message)
        except (OSError, smtplib.SMTPException) as error:
            self._say(451, f"4.4.1 {error}")
            return
        if len(elsewhere) + len(queued) < len(self.recipients):
            mailbox.Maildir(settings.inbox).add(message.replace(b"\r\n", b"\n"))
        self._say(250, "2.0.0 Ok")

    def _rset(self, _: str) -> None:
        self._forget()
        self._say(250, "2.0.0 Ok")

    def _unknown(self, _: str) -> None:
        self._say(502, "5.5.2 command not recognized")

    def _say(self, code: int, *lines: str) -> None:
        text = [f"{code}-{line}\r\n" for line in lines[:-1]] + [f"{code} {lines[-1]}\r\n"]
        self.wfile.write("".join(text).encode())


def _path(argument: str) -> str:
    """The address in `FROM:<...>` or `TO:<...>`, parameters after it left out."""
    return argument.partition("<")[2].partition(">")[0]


def main() -> None:
    read: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    settings = Settings(**read)
    servers = [Server(a, p, settings) for a in settings.addresses for p in settings.ports]
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    os.write(1, b"ready\n")
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
