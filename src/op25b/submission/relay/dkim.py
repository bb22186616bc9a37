"""DKIM signatures (RFC 6376), RSA-SHA256 and Ed25519-SHA256 (RFC 8463), relaxed/relaxed."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from op25b.errors import UserError
from op25b.submission.relay.content import Header, domain_of_from, headers, split

# RFC 6376 5.4.1. Each is signed as often as it stands there; the first group once more, so that none can be added.
_OVERSIGNED = (b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"reply-to")
_SIGNED = (
    *_OVERSIGNED,
    b"sender",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"list-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)
_BLANKS = re.compile(rb"[ \t]+")
_FOLDS = re.compile(rb"\r\n(?=[ \t])")


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and where its public half stands: `selector._domainkey.domain`. In use from `since` (Unix time)."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey
    since: float = 0.0

    @property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"


def load_key(path: Path, domain: str, selector: str, since: float = 0.0) -> Key:
    """Read an unencrypted PEM key. Raises UserError for anything else than Ed25519 or RSA of 1024 bits (RFC 8301)."""
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise UserError(f"{path}: the DKIM key of {domain} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise UserError(f"{path}: not an unencrypted private key in PEM; make one with: openssl genpkey") from None
    if isinstance(private, RSAPrivateKey) and private.key_size >= 1024:
        return Key(domain.lower(), selector, private, since)
    if isinstance(private, Ed25519PrivateKey):
        return Key(domain.lower(), selector, private, since)
    raise UserError(f"{path}: a DKIM key is Ed25519, or RSA of at least 1024 bits (better 2048)")


class Signer:
    """Signs with the keys of the From header's domain, or of the nearest domain above it.

    Of each algorithm the key with the latest `since` that has come signs: publish a new selector, let `since` come,
    take the old record down days later, and nothing is ever signed with a key that nobody can look up.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys: Mapping[str, list[Key]] = {}
        by_domain: dict[str, list[Key]] = {}
        for key in sorted(keys, key=lambda key: key.since):
            by_domain.setdefault(key.domain, []).append(key)
        self._keys = by_domain

    def keys(self, domain: str, now: float) -> list[Key]:
        """The keys that sign for a domain at an instant, one of each algorithm; none: not our domain."""
        labels = domain.lower().split(".")
        for start in range(len(labels) - 1):
            found = {key.algorithm: key for key in self._keys.get(".".join(labels[start:]), []) if key.since <= now}
            if found:
                return list(found.values())
        return []

    def signatures(self, message: bytes, now: float) -> bytes:
        """DKIM-Signature headers to put before `message` (CRLF line ends, as it will go out); b"" if none is due."""
        head, body = split(message)
        fields = headers(head)
        keys = self.keys(domain_of_from(fields), now)
        if not keys:
            return b""
        digest = hashlib.sha256(relaxed_body(body)).digest()
        return b"".join(_signature(key, fields, digest, int(now)) for key in keys)


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 3.4.4. `body` has CRLF line ends."""
    body = _BLANKS.sub(b" ", body).replace(b" \r\n", b"\r\n").rstrip(b"\r\n")
    # a last line without line end may end with a blank
    body = body.removesuffix(b" ").rstrip(b"\r\n")
    return body + b"\r\n" if body else b""


def relaxed_header(name: bytes, value: bytes) -> bytes:
    """RFC 6376 3.4.2, without the line end."""
    return name.lower().strip() + b":" + _BLANKS.sub(b" ", _FOLDS.sub(b"", value)).strip()


def _signature(key: Key, fields: Sequence[Header], body_hash: bytes, now: int) -> bytes:
    counts = {name: sum(field.name == name for field in fields) for name in _SIGNED}
    signed = [name for name in _SIGNED for _ in range(counts[name] + (name in _OVERSIGNED))]
    listed = b":\r\n\t ".join(b":".join(signed[at : at + 5]) for at in range(0, len(signed), 5))
    tags = (
        f" v=1; a={key.algorithm}; c=relaxed/relaxed; d={key.domain};\r\n\t s={key.selector}; t={now};"
        f" bh={base64.b64encode(body_hash).decode()};\r\n\t h="
    )
    value = tags.encode() + listed + b";\r\n\t b="
    name = b"DKIM-Signature"
    text = b"".join(_chosen(fields, signed)) + relaxed_header(name, value)
    return name + b":" + value + _folded(base64.b64encode(_sign(key, text))) + b"\r\n"


def _chosen(fields: Sequence[Header], signed: Sequence[bytes]) -> Iterable[bytes]:
    """Of headers that stand there several times, the lowest comes first (RFC 6376 5.4.2)."""
    left = {name: [field for field in fields if field.name == name] for name in set(signed)}
    for name in signed:
        if left[name]:
            field = left[name].pop()
            yield relaxed_header(field.name, field.value) + b"\r\n"


def _sign(key: Key, text: bytes) -> bytes:
    if isinstance(key.private, RSAPrivateKey):
        return key.private.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return key.private.sign(hashlib.sha256(text).digest())  # RFC 8463 3: Ed25519 over the hash


def _folded(encoded: bytes) -> bytes:
    return b"\r\n\t ".join(encoded[at : at + 72] for at in range(0, len(encoded), 72))
