"""Pure: what a customer runs to send mail, as a command and the mail that goes with it."""

from __future__ import annotations

import email.message
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from enum import StrEnum
from urllib.parse import urlencode

from op25b.lab import knocking, mailclient
from op25b.lab.servers import FOREIGN_DOMAIN


class Tls(StrEnum):
    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


# The usual way of each port (RFC 8314 3.3, RFC 6409).
USUAL_TLS = {25: Tls.NONE, 587: Tls.STARTTLS, 465: Tls.IMPLICIT}


@dataclass(frozen=True)
class Message:
    """One mail. The token is unique per attempt and proves the delivery."""

    token: str
    sender: str = "customer@provider.example"
    recipient: str = f"friend@{FOREIGN_DOMAIN}"
    body: str = "sent in the lab"

    def text(self) -> str:
        return (
            f"From: <{self.sender}>\r\nTo: <{self.recipient}>\r\nSubject: lab\r\n"
            f"Message-ID: <{self.token}@client.example>\r\n\r\n{self.body}\r\n"
        )

    def is_in(self, arrived: email.message.Message) -> bool:
        """What arrived is what was sent: from the same author, with the same text."""
        return parseaddr(arrived["From"])[1] == self.sender and str(arrived.get_payload()).strip() == self.body


@dataclass(frozen=True)
class Login:
    """For AUTH. `mechanism`: PLAIN or LOGIN."""

    name: str
    password: str
    mechanism: str = "PLAIN"


@dataclass(frozen=True)
class Client:
    """A command to run in a host, what it reads, and which connection it is going to try.

    `address` is where it connects to, an address or a host name; `source` its own address, "" for any.
    """

    program: str
    command: Sequence[str]
    address: str
    port: int
    input: str = ""
    source: str = ""


@dataclass(frozen=True)
class To:
    """Where a mail program connects to, and how. `address`: an address or a host name; of a name's addresses the
    one of the family of `source` is taken. `authority`: file of the certificate that TLS is checked with; `seconds`:
    how long one step may take."""

    address: str
    port: int
    authority: str
    source: str = ""
    tls: Tls | None = None
    login: Login | None = None
    seconds: float = 5

    @property
    def way(self) -> Tls:
        return self.tls or USUAL_TLS.get(self.port, Tls.NONE)

    @property
    def family(self) -> list[str]:
        """As an option of swaks and of curl."""
        return [("-6" if ":" in self.source else "-4")] if self.source else []

    def client(self, program: str, command: Sequence[str], input: str) -> Client:
        return Client(program, command, self.address, self.port, input, self.source)


def swaks(message: Message, to: To) -> Client:
    tls = {Tls.NONE: [], Tls.STARTTLS: ["--tls"], Tls.IMPLICIT: ["--tls-on-connect"]}[to.way]
    verify = ["--tls-verify", "--tls-ca-path", to.authority] if tls else []
    local = ["--local-interface", to.source] if to.source else []
    auth = []
    if to.login:
        auth = ["--auth", to.login.mechanism, "--auth-user", to.login.name, "--auth-password", to.login.password]
    command = [
        "swaks", "--server", to.address, "--port", str(to.port), "--helo", "client.example",
        "--timeout", str(to.seconds), "--from", message.sender, "--to", message.recipient,
        *tls, *verify, *to.family, *local, *auth, "--data", "-",
    ]  # fmt: skip
    return to.client("swaks", command, message.text())


def curl(message: Message, to: To) -> Client:
    scheme = "smtps" if to.way is Tls.IMPLICIT else "smtp"
    demand = ["--ssl-reqd"] if to.way is Tls.STARTTLS else []
    verify = ["--cacert", to.authority] if to.way is not Tls.NONE else []
    local = ["--interface", to.source] if to.source else []
    auth = []
    if to.login:
        auth = ["--user", f"{to.login.name}:{to.login.password}", "--login-options", f"AUTH={to.login.mechanism}"]
    command = [
        "curl", "--silent", "--show-error", "--verbose", "--noproxy", "*",
        "--connect-timeout", str(to.seconds), "--max-time", str(6 * to.seconds),
        *demand, *verify, *to.family, *local, *auth, "--mail-from", message.sender, "--mail-rcpt", message.recipient,
        "--upload-file", "-", f"{scheme}://{_url_host(to.address)}:{to.port}/client.example",
    ]  # fmt: skip
    return to.client("curl", command, message.text())


def smtplib(message: Message, to: To) -> Client:
    login = [to.login.mechanism, to.login.name, to.login.password] if to.login else []
    arguments = [
        "send", to.address, str(to.port), str(to.seconds), to.source, to.way, to.authority,
        message.sender, message.recipient, *login,
    ]  # fmt: skip
    return to.client("smtplib", [*_MAILCLIENT, *arguments], message.text())


def msmtp(message: Message, to: To) -> Client:
    """Reads no configuration file: all that a file would say is on the command line."""
    tls = ["--tls=off"]
    if to.way is not Tls.NONE:
        starttls = "on" if to.way is Tls.STARTTLS else "off"
        tls = ["--tls=on", f"--tls-starttls={starttls}", f"--tls-trust-file={to.authority}"]
    local = [f"--source-ip={to.source}"] if to.source else []
    auth = ["--auth=off"]
    if to.login:
        say = f"--passwordeval=echo {to.login.password}"
        auth = [f"--auth={to.login.mechanism.lower()}", f"--user={to.login.name}", say]
    command = [
        "msmtp", f"--host={to.address}", f"--port={to.port}", f"--timeout={to.seconds:.0f}", "--domain=client.example",
        f"--from={message.sender}", *tls, *local, *auth, "--", message.recipient,
    ]  # fmt: skip
    return to.client("msmtp", command, message.text())


def webmail(message: Message, address: str, source: str = "", seconds: float = 5) -> Client:
    """A browser's form on somebody else's webmail."""
    local = ["--interface", source] if source else []
    command = [
        "curl", "--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "--max-time", str(seconds),
        *local, "--data", "@-", f"http://{_url_host(address)}/send",
    ]  # fmt: skip
    form = {"from": message.sender, "to": message.recipient, "token": message.token, "body": message.body}
    return Client("webmail", command, address, 80, urlencode(form), source)


def connect(address: str, port: int, source: str = "", seconds: float = 5) -> Client:
    """A bare TCP connection, closed at once."""
    command = [*_MAILCLIENT, "connect", address, str(port), str(seconds), source]
    return Client("connect", command, address, port, source=source)


def fire(address: str, port: int, source: str, times: int) -> Client:
    """What a bot does: so many addresses from this one on, all at once."""
    command = [sys.executable, "-I", "-S", knocking.__file__, "fire", str(port), source, address, str(times)]
    return Client("bot", command, address, port, source=source)


_MAILCLIENT = (sys.executable, "-I", "-S", mailclient.__file__)


def _url_host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
