"""The program that `mailservers.aio` runs: aiosmtpd on uvloop with a handler that commits in groups.

    python aiosmtpd_server.py FOLDER NAMES PLAIN STARTTLS IMPLICIT CERTIFICATE KEY

Messages that arrive while the disk is busy are appended to one file and synced together; each is acknowledged only
after its own sync. One process for each processor. Log-ins are compared with a password in the clear.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
import socket
import ssl
import sys
from pathlib import Path

import uvloop
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST, PASSWORD = "mail.netlaputa.example", b"himitsu"


class GroupCommit:
    """Appends to a file of its own: a line with sender, recipients and length, then the message."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, envelope: Envelope) -> None:
        content = envelope.content
        assert isinstance(content, bytes)
        head = f"MESSAGE {envelope.mail_from} {','.join(envelope.rcpt_tos)} {len(content)}\n".encode()
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((head + content, done))
        if self._task is None:
            self._task = asyncio.create_task(self._commit())
        await done

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            await loop.run_in_executor(None, self._write, b"".join(data for data, _ in group))
            for _, done in group:
                done.set_result(None)
        self._task = None

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        os.fdatasync(self._fd)


class Handler:
    def __init__(self, log: GroupCommit) -> None:
        self._log = log

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await self._log.add(envelope)
        return "250 2.0.0 Ok"


async def serve(number: int) -> None:
    folder, names, *ports, certificate, key = sys.argv[1:]
    known = {name.encode() for name in Path(names).read_text().split()}
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    handler = Handler(GroupCommit(Path(folder) / f"{number}.log"))

    def authenticate(server: SMTP, session: Session, envelope: Envelope, how: str, data: object) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.login in known
        return AuthResult(success=right and hmac.compare_digest(data.password, PASSWORD), handled=False)

    common = {"hostname": HOST, "data_size_limit": 50 << 20, "authenticator": authenticate}
    kinds = (
        (None, {}),
        (None, {"tls_context": tls, "require_starttls": True, "auth_required": True}),
        (tls, {"auth_required": True, "auth_require_tls": False}),
    )
    loop = asyncio.get_running_loop()
    for port, (implicit, options) in zip(map(int, ports), kinds, strict=True):
        # with the protocol left out, asyncio does not set TCP_NODELAY
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(("127.0.0.1", port))

        def session(options: dict[str, object] = options) -> SMTP:
            return SMTP(handler, **common, **options)

        await loop.create_server(session, sock=made, ssl=implicit, backlog=1024)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def main() -> None:
    children = []
    for number in range(os.cpu_count() or 1):
        if (pid := os.fork()) == 0:
            uvloop.run(serve(number))
            os._exit(0)
        children.append(pid)
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(pid, signal.SIGTERM) for pid in children])
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
