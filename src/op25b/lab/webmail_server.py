"""Somebody else's webmail: takes a form over HTTP and itself hands the mail to a mail server on port 25.

A program of its own, standard library only. Arguments: the mail server's address, then the addresses to
listen on, port 80. POST /send takes from, to, token and body, and answers 200, or 502 with the reason.
It writes `ready` to standard output once it listens everywhere.
"""

from __future__ import annotations

import os
import smtplib
import socket
import sys
import threading
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class Server(ThreadingHTTPServer):
    def __init__(self, address: str, relay: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.relay = relay
        super().__init__((address, 80), Form)

    def server_bind(self) -> None:
        # HTTPServer's own asks for the host's name, and there is no DNS here.
        socket.socket.setsockopt(self.socket, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)


class Form(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
        try:
            self._send(form)
        except (KeyError, OSError, smtplib.SMTPException) as error:
            self._answer(502, f"{type(error).__name__}: {error}\n")
        else:
            self._answer(200, "sent\n")

    def _send(self, form: dict[str, str]) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = form["from"], form["to"], "from webmail"
        message["Message-ID"] = f"<{form['token']}@webmail.example>"
        message["X-Originating-IP"] = self.client_address[0]
        message.set_content(form["body"])
        with smtplib.SMTP(self.server.relay, 25, local_hostname="webmail.example", timeout=10) as relay:
            relay.send_message(message)

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads a log here."""


def main() -> None:
    relay, *addresses = sys.argv[1:]
    servers = [Server(address, relay) for address in addresses]
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    os.write(1, b"ready\n")
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
