"""A log-in at the provider's POP server (RFC 1939), only over TLS: implicit, or by STLS (RFC 2595, 4)."""

from __future__ import annotations

import asyncio
import poplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Literal

from op25b.policy.model import Host, Port
from op25b.policy.table import Table
from op25b.subscribers.credentials.proofs import Away
from op25b.subscribers.lockout import Address

SECONDS = 10.0
"""For each answer of the server."""
AT_ONCE = 8
_IN_USE = b"[IN-USE]"
_NOT_NOW = (b"[SYS/TEMP]", b"[SYS/PERM]", b"[LOGIN-DELAY]")


class PopServer(Table):
    """The POP server that knows the customers' passwords. It is spoken to over TLS only, by a name that verifies."""

    host: Host
    port: Port = 995
    tls: Literal["implicit", "starttls"] = "implicit"
    """Implicit: from the first byte, as on port 995. Starttls: by STLS, as on port 110."""
    user_name: Literal["address", "local-part"] = "address"
    """What of a mail address the server calls its users."""


class PopLogin:
    """`PopPasswords` of a POP server. `context` verifies its certificate."""

    def __init__(self, server: PopServer, context: ssl.SSLContext) -> None:
        self._server, self._context = server, context
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="op25b-pop")

    async def check(self, address: str, password: str, visitor: Address) -> bool:
        user = address if self._server.user_name == "address" else address.rpartition("@")[0]
        if not (user.isprintable() and password.isprintable()):
            return False  # a line's end in it would be another command
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._check, user, password, visitor)

    def close(self) -> None:
        self._pool.shutdown()

    def _check(self, user: str, password: str, visitor: Address) -> bool:
        try:
            client = self._connect()
            try:
                _introduce(client, visitor)
                return _logs_in(client, user, password)
            finally:
                with suppress(OSError, poplib.error_proto):
                    client.quit()
                client.close()
        except (OSError, poplib.error_proto) as error:
            raise Away(f"{self._server.host}:{self._server.port}: {error}") from error

    def _connect(self) -> poplib.POP3:
        server = self._server
        if server.tls == "implicit":
            return poplib.POP3_SSL(server.host, server.port, timeout=SECONDS, context=self._context)
        client = poplib.POP3(server.host, server.port, timeout=SECONDS)
        try:
            client.stls(context=self._context)
        except BaseException:
            client.close()
            raise
        return client


def _introduce(client: poplib.POP3, visitor: Address) -> None:
    """Say who asks, where the server trusts us so far (Dovecot's XCLIENT): what it holds against addresses that failed
    before, each visitor has to answer for alone."""
    if b"[XCLIENT]" in client.welcome:
        client._shortcmd(f"XCLIENT ADDR={visitor}")  # type: ignore[attr-defined]


def _logs_in(client: poplib.POP3, user: str, password: str) -> bool:
    """False for a user or a password that is refused. Raises error_proto for an answer about something else."""
    try:
        client.user(user)
        client.pass_(password)
    except poplib.error_proto as error:
        said = bytes(error.args[0]) if error.args and isinstance(error.args[0], bytes) else b""
        if _IN_USE in said.upper():
            return True  # RFC 2449, 8.1.2: the password was right
        if not said.upper().startswith(b"-ERR") or any(code in said.upper() for code in _NOT_NOW):
            raise
        return False
    return True
