"""TLS: contexts from certificate files, and a layer that costs a connection 17 KB.

The layer stands on a plain transport. The event loops' own keep a read buffer of 256 KB for each connection
(bench/memory.py): 10,000 idle customers would take 2.5 GB.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from op25b.errors import UserError
from op25b.submission.scram import server_end_point

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2 (RFC 9325 4.2); those of 1.3 are all good."""
READ = 65536


@dataclass(frozen=True)
class KeyPair:
    """Files in PEM: the certificate with its chain, and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Certificate:
    """One key pair ready to serve. `names`: of its subjectAltName, lower case; `end_point`: see `TlsLayer`."""

    file: Path
    ends: datetime
    context: ssl.SSLContext
    names: frozenset[str]
    end_point: bytes

    def covers(self, name: str) -> bool:
        """RFC 6125 6.4.3: a wildcard stands for one whole label."""
        return name in self.names or f"*.{name.partition('.')[2]}" in self.names


class Certificates:
    """The certificates of the service. The client's SNI chooses (RFC 6066 3), the first serves everybody else."""

    def __init__(self, pairs: Sequence[KeyPair]) -> None:
        """Raises UserError for files that cannot serve."""
        self._all = [_load(pair) for pair in pairs]
        self._end_points = {each.context: each.end_point for each in self._all}
        self._all[0].context.sni_callback = self._choose

    def expired(self, now: datetime) -> list[tuple[Path, datetime]]:
        """Those that clients who check will not accept, and since when. Others still do: they serve all the same."""
        return [(each.file, each.ends) for each in self._all if each.ends <= now]

    def layer(self) -> TlsLayer:
        """The server's side of one new connection."""
        return TlsLayer(self._all[0].context, self._end_points)

    def _choose(self, layer: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name is not None and len(self._all) > 1:
            name = name.lower()
            layer.context = next((each for each in self._all if each.covers(name)), self._all[0]).context


class TlsLayer:
    """TLS between a plain transport and the session: ciphertext in, text out; text in, ciphertext out."""

    def __init__(self, context: ssl.SSLContext, end_points: dict[ssl.SSLContext, bytes]) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_side=True)
        self._end_points = end_points
        self.ready = False
        """The handshake is done."""

    def receive(self, data: bytes) -> bytes:
        """Text out of what came; then send `outgoing()`. Raises ssl.SSLError for what is not TLS, or at its end."""
        self._in.write(data)
        try:
            if not self.ready:
                self._object.do_handshake()
                self.ready = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""

    def _read(self) -> bytes:
        chunks = []
        # what is whole is read without asking once more, which would cost an exception
        while self._in.pending or self._object.pending():
            try:
                chunk = self._object.read(READ)
            except ssl.SSLWantReadError:
                break
            if not chunk:
                self._in.read()
                break
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def send(self, text: bytes) -> bytes:
        """The ciphertext of `text`."""
        self._object.write(text)
        return self._out.read()

    def outgoing(self) -> bytes:
        """What the handshake has to say."""
        return self._out.read()

    def farewell(self) -> bytes:
        """The close_notify alert (RFC 8446 6.1); b"" before the handshake is done."""
        if self.ready:
            with suppress(ssl.SSLError):  # the client's own is not waited for
                self._object.unwrap()
        return self._out.read()

    @property
    def version(self) -> str:
        """`TLSv1.3`; "" before the handshake is done."""
        return self._object.version() or ""

    @property
    def cipher(self) -> str:
        """The cipher suite by IANA's name, as a Received field wants it (RFC 8314 4.3); "" before the handshake."""
        found = self._object.cipher()
        return _iana(found[0]) if found else ""

    @property
    def bindings(self) -> dict[str, bytes]:
        """Channel binding data (RFC 5929 4) for the certificate that this client was shown."""
        return {"tls-server-end-point": self._end_points[self._object.context]}


def _load(pair: KeyPair) -> Certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.num_tickets = 0  # mail programs do not come back to a session; two tickets are a fifth of a handshake
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        pair.key.read_bytes()
        context.load_cert_chain(pair.certificate, pair.key, password=_no_password)
    except OSError as error:  # ssl.SSLError is one as well
        if isinstance(error, ssl.SSLError):
            raise UserError(_unfit(pair, error)) from error
        raise UserError(f"{error.filename}: cannot be read ({error.strerror}); the service's user needs to") from error
    except _Encrypted:
        raise UserError(
            f"{pair.key}: encrypted, and nobody is there to be asked for its password; "
            "`openssl pkey -in KEY -out NEW` writes it without"
        ) from None
    except ValueError as error:
        raise UserError(f"{pair.certificate}: not a certificate in PEM, followed by its chain") from error
    end_point = server_end_point(certificate.public_bytes(Encoding.DER))
    return Certificate(pair.certificate, certificate.not_valid_after_utc, context, _names(certificate), end_point)


class _Encrypted(Exception):
    """The key wants a password."""


def _no_password() -> str:
    raise _Encrypted


def _unfit(pair: KeyPair, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{pair.key}: not the key of {pair.certificate}; give the two that belong together"
    return f"{pair.key}, {pair.certificate}: not a key and certificate that can serve ({error.reason or error})"


def _names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))


@lru_cache(maxsize=64)
def _iana(name: str) -> str:
    """OpenSSL has names of its own for TLS 1.2: `ECDHE-RSA-AES128-GCM-SHA256`."""
    if name.startswith("TLS_"):
        return name
    exchange, signature, *rest = name.replace("AES128", "AES_128").replace("AES256", "AES_256").split("-")
    suffix = ["SHA256"] if rest[-1] == "POLY1305" else []
    return f"TLS_{exchange}_{signature}_WITH_" + "_".join([*rest, *suffix])
