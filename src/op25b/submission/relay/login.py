"""Logging in at a next hop: SCRAM-SHA-256 where it is offered, else PLAIN or LOGIN; over TLS that was verified."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable

import aiosmtplib

from op25b.subscribers.names import saslprep

_SERVER_FIRST = re.compile(r"r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+),s=(?P<salt>[A-Za-z0-9+/=]+),i=(?P<rounds>[0-9]{1,7})")
_ROUNDS = range(4096, 1_000_001)
"""RFC 7677 4 asks for 4096 at least; a server that asks for more than a million wants our time."""


class LogInFailed(Exception):
    """The next hop refused, cannot do what we can, or is not who knows the password. The text says which."""


class ScramClient:
    """SCRAM-SHA-256 without channel binding (RFC 5802, 7677): first ──> final ──> verify. `nonce` is printable."""

    def __init__(self, username: str, password: str, nonce: str) -> None:
        name = saslprep(username).replace("=", "=3D").replace(",", "=2C")
        self._bare = f"n={name},r={nonce}"
        self._nonce = nonce
        self._password = saslprep(password)
        self._server_signature = b""

    def first(self) -> str:
        return f"n,,{self._bare}"

    def final(self, server_first: str) -> str:
        """Raises LogInFailed for what no server may say."""
        found = _SERVER_FIRST.match(server_first)
        if found is None or not found["nonce"].startswith(self._nonce) or found["nonce"] == self._nonce:
            raise LogInFailed("its SCRAM challenge is not one")
        rounds = int(found["rounds"])
        if rounds not in _ROUNDS:
            raise LogInFailed(f"its SCRAM challenge asks for {rounds} rounds")
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), _decoded(found["salt"]), rounds)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        without_proof = f"c=biws,r={found['nonce']}"
        signed = f"{self._bare},{server_first},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._server_signature = hmac.digest(server_key, signed, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}"

    def verify(self, server_final: str) -> None:
        """Raises LogInFailed where the server does not know the password either."""
        given = _decoded(server_final[2:].partition(",")[0]) if server_final.startswith("v=") else b""
        if not hmac.compare_digest(given, self._server_signature):
            raise LogInFailed("it does not know the password: it is somebody else, or refused it")


async def log_in(
    client: aiosmtplib.SMTP, username: str, password: str, entropy: Callable[[int], bytes] = os.urandom
) -> None:
    """Raises LogInFailed, and aiosmtplib's exceptions. One mechanism is tried: a wrong password counts once there."""
    offered = set(client.esmtp_extensions.get("auth", "").upper().split())
    if "SCRAM-SHA-256" in offered:
        scram = ScramClient(username, password, base64.b64encode(entropy(18)).decode())
        server_first = await _answer(client, b"AUTH", b"SCRAM-SHA-256", _encoded(scram.first()))
        client_final = await asyncio.to_thread(scram.final, server_first)
        scram.verify(await _answer(client, _encoded(client_final)))
        await _accepted(client, b"")
    elif "PLAIN" in offered:
        await _accepted(client, b"AUTH", b"PLAIN", _encoded(f"\0{username}\0{password}"))
    elif "LOGIN" in offered:
        await _answer(client, b"AUTH", b"LOGIN")
        await _answer(client, _encoded(username))
        await _accepted(client, _encoded(password))
    else:
        raise LogInFailed(f"no mechanism that we have: it offers {' '.join(sorted(offered)) or 'none'}")


async def _answer(client: aiosmtplib.SMTP, *words: bytes) -> str:
    """The server's challenge. Raises LogInFailed for a refusal."""
    reply = await client.execute_command(*words)
    if reply.code != 334:
        raise LogInFailed(f"{reply.code} {reply.message}")
    return _decoded(reply.message).decode("utf-8", "replace")


async def _accepted(client: aiosmtplib.SMTP, *words: bytes) -> None:
    reply = await client.execute_command(*words)
    if reply.code != 235:
        raise LogInFailed(f"{reply.code} {reply.message}")


def _encoded(text: str) -> bytes:
    return base64.b64encode(text.encode())


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise LogInFailed("its challenge is not base64") from None
