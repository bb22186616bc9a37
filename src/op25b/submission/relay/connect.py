"""Opening a connection to one address of a next hop: greeting, EHLO, STARTTLS, AUTH (by aiosmtplib)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast

import aiosmtplib

from op25b.submission.relay.login import LogInFailed, log_in
from op25b.submission.relay.outcome import Outcome, Reply, deferred, failed
from op25b.submission.relay.settings import Timeouts, Tls
from op25b.submission.relay.wire import Wire


class Unreachable(Exception):
    """No connection to this address; another host of the domain may do. `outcome`: for the mail, if none does."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


class _TlsBroken(Exception):
    """STARTTLS was offered and did not work."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """`lax` encrypts and believes any certificate, `strict` verifies chain and name."""

    lax: ssl.SSLContext
    strict: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class Target:
    """One address of a next hop, and how to open it. `name`: whose certificate is expected."""

    name: str
    address: str
    port: int
    tls: Tls
    implicit_tls: bool = False
    username: str | None = None
    password: str | None = None


@dataclass(slots=True, eq=False)
class Connection:
    """Ready for MAIL. `extensions`: EHLO keywords in lower case, with their parameters."""

    wire: Wire
    name: str
    extensions: Mapping[str, str]
    encrypted: bool
    messages: int = 0


def contexts(strict: ssl.SSLContext | None = None) -> Contexts:
    """TLS >= 1.2 for `strict`. `lax` takes what there is: the alternative would be clear text (RFC 7435 3)."""
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lax.check_hostname = False
    lax.verify_mode = ssl.CERT_NONE
    if strict is None:
        strict = ssl.create_default_context()
        strict.minimum_version = ssl.TLSVersion.TLSv1_2
    return Contexts(lax, strict)


async def connect(target: Target, own_name: str, tls: Contexts, timeouts: Timeouts) -> Connection:
    """Raises Unreachable. Where TLS is opportunistic and does not work, once more in clear (RFC 7435 3)."""
    try:
        return await _open(target, own_name, tls, timeouts, clear=False)
    except _TlsBroken as error:
        if target.tls is not Tls.OPPORTUNISTIC:
            raise Unreachable(deferred("4.7.5", str(error), target.name)) from None
    try:
        return await _open(target, own_name, tls, timeouts, clear=True)
    except _TlsBroken as error:
        raise Unreachable(deferred("4.7.5", str(error), target.name)) from None


async def _open(target: Target, own_name: str, tls: Contexts, timeouts: Timeouts, *, clear: bool) -> Connection:
    where = f"{target.name}[{target.address}]:{target.port}"
    context = tls.strict if target.tls is Tls.VERIFIED else tls.lax
    client = aiosmtplib.SMTP(
        hostname=target.name,
        local_hostname=own_name,
        timeout=timeouts.greeting,
        use_tls=target.implicit_tls,
        start_tls=False,
        tls_context=context,
        sock=await _socket(target, where, timeouts.connect),
    )
    try:
        await client.connect()
        await _hello(client)
        encrypted = target.implicit_tls
        if not clear and not encrypted:
            encrypted = await _start_tls(client, target, context, where)
        if target.username is not None:
            await _log_in(client, target, where)
    except aiosmtplib.SMTPResponseException as error:
        client.close()
        raise Unreachable(_refused(error, target.name)) from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        client.close()
        raise Unreachable(deferred("4.4.2", f"{where}: {error}")) from None
    except BaseException:
        client.close()
        raise
    wire = Wire(cast(asyncio.Transport, client.transport))
    return Connection(wire, target.name, dict(client.esmtp_extensions), encrypted)


async def _socket(target: Target, where: str, timeout: float) -> socket.socket:
    """A connected socket; with its protocol named, as asyncio turns Nagle's algorithm off for no other."""
    family = socket.AF_INET6 if ip_address(target.address).version == 6 else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setblocking(False)
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().sock_connect(made, (target.address, target.port))
    except TimeoutError:
        made.close()
        raise Unreachable(deferred("4.4.1", f"{where}: no connection within {timeout:g} seconds")) from None
    except OSError as error:
        made.close()
        raise Unreachable(deferred("4.4.1", f"{where}: {error.strerror or error}")) from None
    except BaseException:
        made.close()
        raise
    return made


async def _hello(client: aiosmtplib.SMTP) -> None:
    """EHLO, or HELO where that is not known (RFC 5321 3.2)."""
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError as error:
        if error.code // 100 != 5 or not client.is_connected:
            raise
        await client.helo()


async def _start_tls(client: aiosmtplib.SMTP, target: Target, context: ssl.SSLContext, where: str) -> bool:
    """Raises _TlsBroken where it is needed and not offered, or does not work."""
    if not client.supports_extension("starttls"):
        if target.tls is Tls.OPPORTUNISTIC:
            return False
        raise _TlsBroken(f"{where}: TLS is required, and STARTTLS is not offered")
    try:
        await client.starttls(server_hostname=target.name, tls_context=context)
        await _hello(client)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        client.close()
        raise _TlsBroken(f"{where}: STARTTLS failed: {error}") from None
    return True


async def _log_in(client: aiosmtplib.SMTP, target: Target, where: str) -> None:
    """A refused password is the operator's to mend, and no reason to bounce anybody's mail."""
    try:
        await log_in(client, target.username or "", target.password or "")
    except (LogInFailed, aiosmtplib.SMTPException) as error:
        client.close()
        raise Unreachable(deferred("4.7.0", f"{where}: log-in failed: {error}", target.name)) from None


def _refused(error: aiosmtplib.SMTPResponseException, name: str) -> Outcome:
    """521 and 556 say that there never is mail service (RFC 7504); other refusals may be over in an hour."""
    text = Reply(error.code, tuple(error.message.split("\n"))).text
    return failed("5.3.2", text, name) if error.code in (521, 556) else deferred("4.3.2", text, name)
