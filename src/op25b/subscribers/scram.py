"""The keys of SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677): what a server keeps instead of the password."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Keys:
    """What the server keeps. Who has these can check guesses of the password, but cannot log in with them."""

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def is_of(self, password: str) -> bool:
        """True if the keys were made from this (prepared) password."""
        # HMAC fills short keys up with NUL, so "x" and "x\0" would have the same keys
        return "\0" not in password and hmac.compare_digest(
            derive(password, self.salt, self.iterations).stored_key, self.stored_key
        )


def derive(password: str, salt: bytes, iterations: int) -> Keys:
    """Make the keys; takes `iterations` rounds of HMAC-SHA-256, with other threads running meanwhile."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return Keys(iterations, salt, hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256"))
