"""Handing notices to the sending server, one after the other, at a pace: submission with AUTH over verified TLS.

A notice that may or may not have been taken is sent again under its key (ENVID, RFC 3461 4.4); op25b's relay lets only
one of them leave (`op25b.store.once`). So this need not know what became of a connection that was lost.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from op25b.errors import UserError

IMPLICIT_TLS = 465
TIMEOUT_SECONDS = 60.0
PAUSES = (1, 2, 5, 10, 30, 60, 120, 300, 300, 300)
"""Seconds between tries when the server cannot be reached or says "not now"; then the run is broken off."""


@dataclass(frozen=True)
class Server:
    """Where notices are handed in. Port 465 speaks TLS at once, every other port STARTTLS."""

    host: str
    port: int
    user: str
    password: str
    trust: ssl.SSLContext
    sender: str
    """The envelope's: bounces of later hosts go there."""


class _Later(Exception):
    """Worth another try."""


class Sending:
    """One run. `sleep` and `clock` in seconds; `rate`: notices a minute; `waiting` is called with why nothing moves."""

    def __init__(
        self,
        server: Server,
        rate: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        waiting: Callable[[str], None],
    ) -> None:
        self._server, self._interval = server, 60 / rate
        self._clock, self._sleep, self._waiting = clock, sleep, waiting
        self._connection: smtplib.SMTP | None = None
        self._next = clock()

    def __enter__(self) -> Sending:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leave()

    def send(self, key: str, to: str, message: bytes) -> str | None:
        """None when the server has it; what the server says when it will never take mail for this address.

        Raises UserError when it is no use to go on: after some 20 minutes of trying, or for what trying cannot mend.
        """
        for pause in (*PAUSES, None):
            self._keep_pace()
            try:
                return self._offer(key, to, message)
            except (_Later, OSError, smtplib.SMTPException) as error:
                self._leave()
                if pause is None:
                    raise UserError(
                        f"{self._server.host}: {_said(error)}; the same command goes on where this one stopped"
                    ) from error
                self._waiting(f"{self._server.host}: {_said(error)}; next try in {pause} s")
                self._sleep(pause)
        raise AssertionError("the last pause is None")

    def _keep_pace(self) -> None:
        if (early := self._next - self._clock()) > 0:
            self._sleep(early)
        self._next = max(self._next, self._clock()) + self._interval

    def _offer(self, key: str, to: str, message: bytes) -> str | None:
        connection = self._connected()
        code, reply = connection.mail(self._server.sender, [f"ENVID={_xtext(key)}", "RET=HDRS"])
        self._expect(code, reply)
        code, reply = connection.rcpt(to, ["NOTIFY=FAILURE"])
        if code // 100 == 5:
            connection.rset()
            return f"{code} {_text(reply)}"
        self._expect(code, reply)
        try:
            self._expect(*connection.data(message))
        except smtplib.SMTPDataError as error:
            self._expect(error.smtp_code, error.smtp_error)
        return None

    def _expect(self, code: int, reply: bytes | str) -> None:
        """Raises _Later, or UserError: what is wrong with one notice is wrong with all."""
        if code // 100 == 5:
            raise UserError(
                f"{self._server.host} refuses the notices: {code} {_text(reply)}; "
                "mend that, then the same command goes on where this one stopped"
            )
        if code // 100 != 2:
            raise _Later(f"{code} {_text(reply)}")

    def _connected(self) -> smtplib.SMTP:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        connection: smtplib.SMTP
        try:
            if server.port == IMPLICIT_TLS:
                connection = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_SECONDS, context=server.trust)
            else:
                connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
            try:
                self._log_in(connection)
            except BaseException:
                connection.close()
                raise
            return connection
        except ssl.SSLCertVerificationError as error:
            raise UserError(
                f"{server.host}:{server.port}: its certificate is not good ({error.verify_message}); "
                "name the server as its certificate does, or say with --ca whom to trust"
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            raise UserError(f"{server.host}:{server.port}: {error}; notices go over TLS and with AUTH only") from error

    def _log_in(self, connection: smtplib.SMTP) -> None:
        server = self._server
        if not isinstance(connection, smtplib.SMTP_SSL):
            connection.starttls(context=server.trust)
        try:
            connection.login(server.user, server.password)
        except smtplib.SMTPAuthenticationError as error:
            if error.smtp_code // 100 != 5:
                raise _Later(f"{error.smtp_code} {_text(error.smtp_error)}") from error
            raise UserError(f"{server.host} does not let {server.user} in: {_text(error.smtp_error)}") from error

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError, smtplib.SMTPException):
                connection.quit()
            connection.close()


def _xtext(text: str) -> str:
    """RFC 3461 4."""
    return "".join(each if "!" <= each <= "~" and each not in "+=" else f"+{ord(each):02X}" for each in text)


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return str(error) or type(error).__name__


def _text(reply: bytes | str) -> str:
    """A reply on one line, with nothing that a terminal would act upon."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return "".join(each if each.isprintable() else " " for each in text)[:300]
