"""Signing configuration profiles: CMS with the profile inside (RFC 5652), as Apple's devices take it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from op25b.errors import UserError


@dataclass(frozen=True)
class Signer:
    """A certificate, those that lead to its root, and its key."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: RSAPrivateKey | EllipticCurvePrivateKey

    def sign(self, document: bytes) -> bytes:
        """The document inside a signature, DER."""
        builder = PKCS7SignatureBuilder().set_data(document)
        builder = builder.add_signer(self.certificate, self.key, hashes.SHA256())
        for each in self.chain:
            builder = builder.add_certificate(each)
        return builder.sign(Encoding.DER, [PKCS7Options.Binary])


def load(certificate: Path, key: Path) -> Signer:
    """Read both, PEM. Raises UserError."""
    try:
        first, *chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{certificate}: no certificate is in it, or it cannot be read; write a PEM file") from error
    try:
        found = load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{key}: no key is in it, or it is encrypted, or cannot be read; write a PEM file") from error
    if not isinstance(found, RSAPrivateKey | EllipticCurvePrivateKey):
        raise UserError(f"{key}: profiles are signed with an RSA or EC key; make one of these")
    if found.public_key() != first.public_key():
        raise UserError(f"{key}: it is not the key of {certificate}; write the one that belongs to it")
    return Signer(first, tuple(chain), found)
