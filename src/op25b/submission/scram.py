"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS for a server (RFC 5802, 7677), with channel binding (RFC 5929, 9266). Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from op25b.submission.sasl_steps import Lookup, Malformed, Proved, Step, Steps, bounded, require_same
from op25b.subscribers.names import NAME_OCTETS
from op25b.subscribers.scram import Keys

_PRINTABLE = re.compile(rb"[\x21-\x2b\x2d-\x7e]+")
_CLIENT_FIRST = re.compile(
    rb"(?P<gs2>(?P<flag>[ny]|p=(?P<binding>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^,]+))?,)"
    rb"(?P<bare>n=(?P<name>[^,]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,(?!m=)[A-Za-z]=[^,]+)*)"
)
_CLIENT_FINAL = re.compile(
    rb"(?P<without>c=(?P<channel>[A-Za-z0-9+/=]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,(?![mp]=)[A-Za-z]=[^,]+)*)"
    rb",p=(?P<proof>[A-Za-z0-9+/=]+)"
)
NONCE_OCTETS = 18
"""Randomness in the server's part of the nonce; 24 printable octets as base64."""


@dataclass(frozen=True)
class Channel:
    """What the TLS connection below offers for channel binding: type (`tls-server-end-point`, `tls-exporter`) to data.

    `plus_offered` says whether the server's list of mechanisms had SCRAM-SHA-256-PLUS in it.
    """

    bindings: Mapping[str, bytes] = field(default_factory=dict)
    plus_offered: bool = False


class Scram(Steps):
    """One exchange. `nonce` is the server's part: printable, without a comma, never used before.

    client-first ──> Lookup ──> server-first ──> client-final ──> Proved ──> server-final ──> (empty) ──> Success
    """

    def __init__(self, plus: bool, channel: Channel, nonce: bytes) -> None:
        if not _PRINTABLE.fullmatch(nonce):
            raise ValueError("the nonce is empty, or not printable")
        self._plus, self._channel, self._nonce = plus, channel, nonce
        self._reads: Callable[[bytes], Step] = self._client_first
        self._keys: Keys | None = None

    def _message(self, octets: bytes) -> Step:
        if b"\0" in octets:
            raise Malformed("a NUL")
        return self._reads(octets)

    def _client_first(self, octets: bytes) -> Step:
        found = _CLIENT_FIRST.fullmatch(octets)
        if found is None:
            raise Malformed("not a client-first-message")
        self._name = _saslname(found["name"])
        require_same(_saslname(found["authzid"] or b""), self._name)
        self._bound = found["gs2"] + self._binding(found["flag"], found["binding"])
        self._first = found["bare"]
        self._nonce = found["nonce"] + self._nonce
        self._expects = "supply"
        return Lookup(self._name)

    def _binding(self, flag: bytes, kind: bytes | None) -> bytes:
        """The channel binding data. RFC 5802 section 6; raises Malformed for what could be somebody in the middle."""
        if flag == b"y" and self._channel.plus_offered:
            raise Malformed("the client did not see that channel binding is offered: somebody took it out")
        if (kind is not None) != self._plus:
            raise Malformed("the mechanism and the flag for channel binding disagree")
        if kind is None:
            return b""
        data = self._channel.bindings.get(kind.decode())
        if data is None:
            raise Malformed("a type of channel binding that this connection does not have")
        return data

    def _supplied(self, keys: Keys) -> Step:
        self._keys = keys
        salt = base64.b64encode(keys.salt)
        self._server_first = b"r=%s,s=%s,i=%d" % (self._nonce, salt, keys.iterations)
        self._reads = self._client_final
        return self._challenge(self._server_first)

    def _client_final(self, octets: bytes) -> Step:
        found = _CLIENT_FINAL.fullmatch(octets)
        if found is None:
            raise Malformed("not a client-final-message")
        if not hmac.compare_digest(_decoded(found["channel"]), self._bound):
            raise Malformed("bound to another channel: somebody may be in the middle")
        if not hmac.compare_digest(found["nonce"], self._nonce):
            raise Malformed("another nonce")
        self._signed = b",".join((self._first, self._server_first, found["without"]))
        self._expects = "decide"
        return Proved(self._name, self._proves(_decoded(found["proof"])))

    def _proves(self, proof: bytes) -> bool:
        assert self._keys is not None
        signature = hmac.digest(self._keys.stored_key, self._signed, "sha256")
        if len(proof) != len(signature):
            return False
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        return hmac.compare_digest(hashlib.sha256(client_key).digest(), self._keys.stored_key)

    def _decided(self, yes: bool) -> Step:
        if not yes:
            return self._fail("refused")
        assert self._keys is not None
        verifier = hmac.digest(self._keys.server_key, self._signed, "sha256")
        self._reads = self._acknowledged
        return self._challenge(b"v=" + base64.b64encode(verifier))

    def _acknowledged(self, octets: bytes) -> Step:
        # RFC 4954 has no data in its success reply, so server-final is a challenge, answered with nothing
        if octets:
            raise Malformed("an answer to the server-final-message")
        return self._end()


def server_end_point(certificate: bytes) -> bytes:
    """The data of `tls-server-end-point` for a certificate in DER (RFC 5929 section 4.1)."""
    parsed = x509.load_der_x509_certificate(certificate)
    algorithm = parsed.signature_hash_algorithm
    if algorithm is None or isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        # Ed25519 has no hash of its own and the RFC says nothing of it; SHA-256 is what clients take then
        algorithm = hashes.SHA256()
    return parsed.fingerprint(algorithm)


def _saslname(octets: bytes) -> str:
    """Undo `=2C` and `=3D` (RFC 5802 section 5.1); any other `=` is a fault."""
    text = bounded(octets, 3 * NAME_OCTETS, "name")
    if re.search("=(?!2C|3D)", text):
        raise Malformed("a name with a bare =")
    return bounded(text.replace("=2C", ",").replace("=3D", "=").encode(), NAME_OCTETS, "name")


def _decoded(octets: bytes) -> bytes:
    try:
        return base64.b64decode(octets, validate=True)
    except binascii.Error:
        raise Malformed("not base64") from None
