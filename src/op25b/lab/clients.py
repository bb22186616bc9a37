"""Pure: what a customer runs to send mail, as a command and the mail that goes with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode

from op25b.lab import mailclient
from op25b.lab.plan import FOREIGN_DOMAIN


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

    def text(self) -> str:
        return (
            f"From: <{self.sender}>\r\nTo: <{self.recipient}>\r\nSubject: lab\r\n"
            f"Message-ID: <{self.token}@client.example>\r\n\r\nsent in the lab\r\n"
        )


@dataclass(frozen=True)
class Client:
    """A command to run in a host, what it reads, and which connection it is going to try."""

    program: str
    command: Sequence[str]
    address: str
    port: int
    input: str = ""


def swaks(message: Message, address: str, port: int, authority: str, source: str = "", seconds: float = 5) -> Client:
    tls = {Tls.NONE: [], Tls.STARTTLS: ["--tls"], Tls.IMPLICIT: ["--tls-on-connect"]}[_tls(port)]
    verify = ["--tls-verify", "--tls-ca-path", authority] if tls else []
    local = ["--local-interface", source] if source else []
    command = [
        "swaks", "--server", address, "--port", str(port), "--helo", "client.example",
        "--timeout", str(seconds), "--from", message.sender, "--to", message.recipient,
        *tls, *verify, *local, "--data", "-",
    ]  # fmt: skip
    return Client("swaks", command, address, port, message.text())


def curl(message: Message, address: str, port: int, authority: str, source: str = "", seconds: float = 5) -> Client:
    tls = _tls(port)
    scheme = "smtps" if tls is Tls.IMPLICIT else "smtp"
    demand = ["--ssl-reqd"] if tls is Tls.STARTTLS else []
    verify = ["--cacert", authority] if tls is not Tls.NONE else []
    local = ["--interface", source] if source else []
    command = [
        "curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(seconds),
        *demand, *verify, *local, "--mail-from", message.sender, "--mail-rcpt", message.recipient,
        "--upload-file", "-", f"{scheme}://{_url_host(address)}:{port}/client.example",
    ]  # fmt: skip
    return Client("curl", command, address, port, message.text())


def smtplib(message: Message, address: str, port: int, authority: str, source: str = "", seconds: float = 5) -> Client:
    arguments = [
        "send", address, str(port), str(seconds), _tls(port), authority,
        message.sender, message.recipient, source,
    ]  # fmt: skip
    return Client("smtplib", [*_MAILCLIENT, *arguments], address, port, message.text())


def webmail(message: Message, address: str, source: str = "", seconds: float = 5) -> Client:
    """A browser's form on somebody else's webmail."""
    local = ["--interface", source] if source else []
    command = [
        "curl", "--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "--max-time", str(seconds),
        *local, "--data", "@-", f"http://{_url_host(address)}/send",
    ]  # fmt: skip
    form = {"from": message.sender, "to": message.recipient, "token": message.token, "body": "sent on a page"}
    return Client("webmail", command, address, 80, urlencode(form))


def connect(address: str, port: int, source: str = "", seconds: float = 5) -> Client:
    """A bare TCP connection, closed at once."""
    command = [*_MAILCLIENT, "connect", address, str(port), str(seconds), source]
    return Client("connect", command, address, port)


_MAILCLIENT = (sys.executable, "-I", "-S", mailclient.__file__)


def _tls(port: int) -> Tls:
    return USUAL_TLS.get(port, Tls.NONE)


def _url_host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
