"""A mail program in Python (smtplib), or a bare TCP connection, run inside a subscriber host.

A program of its own, standard library only. Usage:
    mailclient.py connect ADDRESS PORT SECONDS SOURCE
    mailclient.py send ADDRESS PORT SECONDS SOURCE none|starttls|implicit CA SENDER RECIPIENT
                       [PLAIN|LOGIN USER PASSWORD]  < message
SOURCE is the local address, empty for the system's choice.
Exit status 0 when it connected or the mail was taken, 1 with the reason otherwise.
"""

from __future__ import annotations

import socket
import sys

NAME = "client.example"


def connect(address: str, port: str, seconds: str, source: str) -> None:
    with socket.create_connection((address, int(port)), float(seconds), (source, 0) if source else None):
        print("connected")


def send(
    address: str, port: str, seconds: str, source: str, tls: str, authority: str, sender: str, recipient: str,
    *login: str,
) -> None:  # fmt: skip
    # Loading these takes longer than most connections do; `connect` needs neither.
    import smtplib
    import ssl

    context = ssl.create_default_context(cafile=authority) if tls != "none" else None
    local = (source, 0) if source else None
    server: smtplib.SMTP
    if tls == "implicit":
        server = smtplib.SMTP_SSL(
            address, int(port), NAME, timeout=float(seconds), source_address=local, context=context
        )
    else:
        server = smtplib.SMTP(address, int(port), NAME, float(seconds), local)
    try:
        with server:
            if tls == "starttls":
                server.starttls(context=context)
            if login:
                mechanism, server.user, server.password = login
                server.ehlo_or_helo_if_needed()
                if mechanism not in server.esmtp_features.get("auth", "").split():
                    raise smtplib.SMTPNotSupportedError(f"AUTH {mechanism} is not offered")
                server.auth(mechanism, server.auth_plain if mechanism == "PLAIN" else server.auth_login)
            server.sendmail(sender, [recipient], sys.stdin.buffer.read())
    except smtplib.SMTPRecipientsRefused as error:
        code, text = error.recipients[recipient]
        raise smtplib.SMTPResponseException(code, text) from None
    print("accepted")


def main() -> int:
    try:
        {"connect": connect, "send": send}[sys.argv[1]](*sys.argv[2:])  # type: ignore[operator]
    except OSError as error:  # SMTPException is one
        code, text = getattr(error, "smtp_code", None), getattr(error, "smtp_error", b"")
        said = f"{code} {text.decode()}" if code else str(error)
        print(f"{type(error).__name__}: {said}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
