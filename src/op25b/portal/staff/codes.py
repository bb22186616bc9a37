"""One-time codes (TOTP, RFC 6238): six digits that change every 30 seconds, from a secret that an app has too.

The secret must be there in the clear to check a code, so that a hash will not do: the store has it sealed (AES-256-GCM,
bound to the account's name) with a key that lies in a file. Who has the store alone has no codes.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from op25b.errors import UserError
from op25b.processes import secret_files

Random = Callable[[int], bytes]

SECRET_OCTETS = 20
"""RFC 4226, 4: 160 bits."""
STEP_SECONDS = 30
_AROUND = (-1, 0, 1)
"""Steps that are looked at: a clock may be off by one (RFC 6238, 5.2)."""
_KEY_OCTETS = 32
_NONCE_OCTETS = 12


class Key:
    """Seals what the store or a browser keeps for us. `about`: what it is bound to, the same when it is opened."""

    def __init__(self, octets: bytes) -> None:
        self._cipher = AESGCM(octets)

    def seal(self, plain: bytes, about: str, random: Random) -> bytes:
        nonce = random(_NONCE_OCTETS)
        return nonce + self._cipher.encrypt(nonce, plain, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes | None:
        """None: it was sealed with another key, or for something else, or was changed."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:], about.encode())
        except (InvalidTag, ValueError):
            return None


def read_key(path: Path) -> Key:
    """The key in a file. Raises UserError for one that cannot be read, or that everybody can."""
    text = secret_files.read(path, "console.key_file")
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = b""
    if len(octets) != _KEY_OCTETS:
        raise UserError(f"{path}: is no key; put the one back that `op25b staff add` made, or begin anew without it")
    return Key(octets)


def make_key(path: Path, random: Random) -> None:
    """Write a new key, for its owner and group. Raises UserError where it cannot be written or is there already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; name another file with --key") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(random(_KEY_OCTETS).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def fresh(random: Random) -> str:
    """A new secret, in base32 as apps have it."""
    return base64.b32encode(random(SECRET_OCTETS)).decode()


def uri(secret: str, name: str, issuer: str) -> str:
    """What a QR code for an app holds."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=name, issuer_name=issuer)


def at(secret: str, instant: datetime) -> str:
    """The code that an app shows at an instant. Raises ValueError for what is no secret."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).at(instant)


def step(secret: str, code: str, at: datetime) -> int | None:
    """The step that a code is of, None if it is of none. Takes the same time whichever it is."""
    totp, now, found = pyotp.TOTP(secret, interval=STEP_SECONDS), int(at.timestamp()) // STEP_SECONDS, None
    given = code.replace(" ", "").encode("utf-8", "replace")
    for each in (now + offset for offset in _AROUND):
        if hmac.compare_digest(totp.generate_otp(each).encode(), given):
            found = each
    return found
