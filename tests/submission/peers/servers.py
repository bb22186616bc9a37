"""The three servers that hear the same dialogues: op25b's service, a real Postfix, aiosmtpd.

All relay for 127.0.0.2 on one port (`relay`) and take mail from who logs in under STARTTLS on the other
(`submission`); 127.0.0.1 is a stranger who reaches nobody. What they take, they hand on to a sink.
"""

from __future__ import annotations

import asyncio
import base64
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.support import postfix
from tests.support.service import CUSTOMER, HOST, PASSWORD, USER, Service, free_ports, write_certificate
from tests.support.sink import Delivery, Sink

MAX_SIZE = 100_000


@dataclass(frozen=True)
class Server:
    """`ports` by role; `idle`: all that was taken has been handed on; `got`: what was."""

    ports: Mapping[str, int]
    idle: Callable[[], bool]
    got: list[Delivery]


@contextmanager
def op25b(made: Service) -> Iterator[Server]:
    """The service at work; nothing of it is limited that the others do not limit."""
    with Sink() as sink:
        made.tables = f"""
[submission.limits]
size = {MAX_SIZE}
tarpit_after = 0
[submission.limits.address]
connections = 0
messages_per_hour = 0
recipients_per_hour = 0
rejected_per_hour = 0
[relay]
smart_host = {{ host = "127.0.0.1", port = {sink.port} }}
"""
        made.parts = ()
        made.submission = "binarymime = true"
        made.write_config()
        with made:
            ports = {"relay": made.relay, "submission": made.starttls}
            yield Server(ports, lambda: not made.waiting(), sink.got)


@contextmanager
def real_postfix(certificates: Path) -> Iterator[Server]:
    """With the settings that this project recommends, and Postfix's own for the rest."""
    relay, submission = free_ports(2)
    with ExitStack() as stack:
        sink = stack.enter_context(Sink())
        directory = stack.enter_context(postfix.folder())
        pair = (certificates / "server.key").read_bytes() + (certificates / "server.pem").read_bytes()
        (directory / "etc/pair.pem").write_bytes(pair)
        stack.enter_context(_passwords(directory / "auth"))
        owners = f"inline:{{{USER}={USER}}}"
        listeners = (
            f"127.0.0.1:{relay} inet n - n - - smtpd\n"
            f"127.0.0.1:{submission} inet n - n - - smtpd\n"
            " -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes -o smtpd_tls_auth_only=yes\n"
            " -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n"
            " -o smtpd_sender_restrictions=reject_sender_login_mismatch\n"
        )
        settings = {
            "myhostname": HOST,
            "mynetworks": CUSTOMER,
            "relayhost": f"[127.0.0.1]:{sink.port}",
            "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
            "smtpd_sender_login_maps": owners,
            "smtpd_tls_security_level": "may",
            "smtpd_tls_chain_files": directory / "etc/pair.pem",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": directory / "auth",
            "smtpd_helo_required": "yes",
            "smtpd_forbid_bare_newline_exclusions": "",
            "disable_vrfy_command": "yes",
            "message_size_limit": MAX_SIZE,
            "smtpd_error_sleep_time": 0,
            "smtpd_tls_auth_only": "yes",
        }
        stack.enter_context(postfix.running(directory, listeners, settings))
        queues = [directory / "queue" / name for name in ("incoming", "active", "deferred", "maildrop")]

        def idle() -> bool:
            return not any(path.is_file() for queue in queues for path in queue.rglob("*"))

        yield Server({"relay": relay, "submission": submission}, idle, sink.got)


def _answer(login: bool, said: list[str]) -> tuple[str, str]:
    """What comes after the client's words, in base64 each: (verb, parameter)."""
    if len(said) < 1 + login:
        prompt = [b"Username:", b"Password:"][len(said)] if login else b""
        return "CONT", base64.b64encode(prompt).decode()
    try:
        words = [base64.b64decode(word, validate=True) for word in said]
    except ValueError:
        return "FAIL", "reason=Invalid base64 data"
    given = words if login else words[0].split(b"\0")[1:]
    return ("OK", f"user={USER}") if given == [USER.encode(), PASSWORD.encode()] else ("FAIL", f"user={USER}")


@contextmanager
def _passwords(path: Path) -> Iterator[None]:
    """Dovecot's side of its authentication protocol, for one account, PLAIN and LOGIN."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n")
            self.wfile.write(b"SPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n")
            login, said = False, list[str]()
            for line in self.rfile:
                verb, number, *words = line.decode().rstrip("\n").split("\t")
                if verb == "AUTH":
                    login, said = words[0] == "LOGIN", [word[5:] for word in words if word.startswith("resp=")]
                elif verb == "CONT":
                    said.append(words[0])
                else:
                    continue
                answer = _answer(login, said)
                self.wfile.write(f"{answer[0]}\t{number}\t{answer[1]}\n".encode())

    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        path.chmod(0o666)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _Application:
    """What aiosmtpd leaves to its user: who may relay, and what becomes of a message."""

    def __init__(self, got: list[Delivery]) -> None:
        self.got = got

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, to: str, options: list[str]) -> str:
        if session.peer[0] != CUSTOMER and not session.authenticated:
            return "554 5.7.1 relaying denied"
        envelope.rcpt_tos.append(to)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        sender = "" if envelope.mail_from in (None, "<>") else envelope.mail_from
        self.got.append(Delivery(sender, tuple(envelope.rcpt_tos), envelope.content))
        return "250 2.0.0 taken"


@contextmanager
def aiosmtpd(certificates: Path) -> Iterator[Server]:
    got: list[Delivery] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        given = (data.login, data.password)
        return AuthResult(success=given == (USER.encode(), PASSWORD.encode()), handled=False)

    def factory(**settings: Any) -> Callable[[], SMTP]:
        common = {"hostname": HOST, "data_size_limit": MAX_SIZE, "enable_SMTPUTF8": True, "tls_context": context}
        return lambda: SMTP(_Application(got), **common, **settings)  # type: ignore[arg-type]

    loop, listening = asyncio.new_event_loop(), []

    async def listen() -> dict[str, int]:
        roles = {
            "relay": factory(),
            "submission": factory(require_starttls=True, auth_required=True, authenticator=check),
        }
        for made in roles.values():
            listening.append(await loop.create_server(made, "127.0.0.1", 0))
        return {role: each.sockets[0].getsockname()[1] for role, each in zip(roles, listening, strict=True)}

    async def end() -> None:
        for each in listening:
            each.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Server(asyncio.run_coroutine_threadsafe(listen(), loop).result(10), lambda: True, got)
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def all_three(folder: Path) -> Iterator[dict[str, Server]]:
    """By name. Their certificates are issued by the same authority, which `folder/ca.pem` is of."""
    made = Service(folder)
    write_certificate(folder, made.authority, HOST)
    with op25b(made) as own, real_postfix(folder) as real, aiosmtpd(folder) as library:
        yield {"op25b": own, "postfix": real, "aiosmtpd": library}
