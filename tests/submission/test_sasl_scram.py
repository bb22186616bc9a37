"""SCRAM against the RFC's own example, an independent client, and somebody in the middle."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from op25b.submission.sasl import Challenge, Channel, Failure, Lookup, Proved, Step, Success, begin
from op25b.submission.scram import server_end_point
from op25b.subscribers.scram import Keys, derive

ENDPOINT = b"\x01" * 32
BOUND = Channel({"tls-server-end-point": ENDPOINT, "tls-exporter": b"\x02" * 32}, plus_offered=True)
UNBOUND = Channel()
KEYS = derive("pencil", b"some salt", 4096)


def test_the_example_of_rfc_7677() -> None:
    keys = derive("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    exchange = begin("SCRAM-SHA-256", UNBOUND, b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    assert exchange.start(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == Lookup("user")
    assert exchange.supply(keys) == Challenge(
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    final = (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert exchange.respond(final) == Proved("user", True)
    assert exchange.decide(True) == Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert exchange.respond(b"") == Success("user")


@dataclass
class Client:
    """A client written from RFC 5802, apart from the server's code. `sees` and `binds` are what it takes TLS for."""

    name: bytes = b"user"
    password: bytes = b"pencil"
    gs2: bytes = b"n,,"
    binds: bytes = b""
    nonce: bytes = b"clientnonce"
    extension: bytes = b""

    def first(self) -> bytes:
        self.bare = b"n=" + self.name + b",r=" + self.nonce
        return self.gs2 + self.bare

    def final(self, server_first: bytes) -> bytes:
        fields = dict(part.split(b"=", 1) for part in server_first.split(b","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(fields[b"s"]), int(fields[b"i"]))
        key = hmac.new(salted, b"Client Key", "sha256").digest()
        without = b"c=" + base64.b64encode(self.gs2 + self.binds) + b",r=" + fields[b"r"] + self.extension
        signed = b",".join([self.bare, server_first, without])
        signature = hmac.new(hashlib.sha256(key).digest(), signed, "sha256").digest()
        server_key = hmac.new(salted, b"Server Key", "sha256").digest()
        self.expects = b"v=" + base64.b64encode(hmac.new(server_key, signed, "sha256").digest())
        return without + b",p=" + base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True)))


def talk(client: Client, mechanism: str = "SCRAM-SHA-256", channel: Channel = UNBOUND, keys: Keys = KEYS) -> Step:
    """The whole exchange, with a server that lets in whoever has proved it."""
    exchange = begin(mechanism, channel, b"servernonce")
    step = exchange.start(client.first())
    if not isinstance(step, Lookup):
        return step
    challenge = exchange.supply(keys)
    assert isinstance(challenge, Challenge)
    step = exchange.respond(client.final(challenge.octets))
    if not isinstance(step, Proved):
        return step
    step = exchange.decide(step.proved)
    if isinstance(step, Challenge):
        assert step.octets == client.expects, "the server proves itself too"
        return exchange.respond(b"")
    return step


def test_both_mechanisms_with_the_right_password() -> None:
    assert talk(Client()) == Success("user")
    assert talk(Client(gs2=b"y,,")) == Success("user")
    assert talk(Client(), channel=BOUND) == Success("user")
    assert talk(Client(extension=b",x=later")) == Success("user")
    for kind, data in BOUND.bindings.items():
        client = Client(gs2=b"p=" + kind.encode() + b",,", binds=data)
        assert talk(client, "SCRAM-SHA-256-PLUS", BOUND) == Success("user")


def test_a_wrong_password_and_made_up_keys() -> None:
    assert talk(Client(password=b"pencils")) == Failure("refused")
    assert talk(Client(), keys=Keys(4096, b"some salt", bytes(32), bytes(32))) == Failure("refused")


def test_names() -> None:
    assert talk(Client(name=b"a=2Cb=3Dc")) == Success("a,b=c")
    assert talk(Client(name="花子".encode())) == Success("花子")
    assert talk(Client(gs2=b"n,a=USER,")) == Success("user")
    for gs2, name in (
        (b"n,,", b"a=2cb"),
        (b"n,,", b"a="),
        (b"n,,", b"\xff"),
        (b"n,a=root,", b"user"),
        (b"n,,", b"x" * 256),
    ):
        assert isinstance(talk(Client(gs2=gs2, name=name)), Failure)


@pytest.mark.parametrize(
    ("client", "mechanism", "channel"),
    [
        # the client could bind and was not offered it: somebody took the -PLUS mechanism out of the list
        (Client(gs2=b"y,,"), "SCRAM-SHA-256", BOUND),
        # bound to the TLS connection of somebody in the middle
        (Client(gs2=b"p=tls-server-end-point,,", binds=b"\x09" * 32), "SCRAM-SHA-256-PLUS", BOUND),
        (Client(gs2=b"p=tls-exporter,,", binds=ENDPOINT), "SCRAM-SHA-256-PLUS", BOUND),
        (Client(gs2=b"p=tls-server-end-point,,"), "SCRAM-SHA-256-PLUS", BOUND),
        # a type that there is not
        (Client(gs2=b"p=tls-unique,,", binds=ENDPOINT), "SCRAM-SHA-256-PLUS", BOUND),
        # the flag and the mechanism disagree
        (Client(gs2=b"p=tls-server-end-point,,", binds=ENDPOINT), "SCRAM-SHA-256", BOUND),
        (Client(gs2=b"n,,"), "SCRAM-SHA-256-PLUS", BOUND),
        (Client(gs2=b"y,,"), "SCRAM-SHA-256-PLUS", BOUND),
        (Client(gs2=b"p=tls-server-end-point,,", binds=ENDPOINT), "SCRAM-SHA-256-PLUS", UNBOUND),
    ],
)
def test_channel_binding_refuses(client: Client, mechanism: str, channel: Channel) -> None:
    assert isinstance(talk(client, mechanism, channel), Failure)


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n,,",
        b"n,,n=user",
        b"n,,n=,r=abc",
        b"n,,n=user,r=",
        b"n,,n=user,r=a\x7f",
        b"n,,n=user,r=a b",
        b"n,,m=ext,n=user,r=abc",
        b"n,,n=user,r=abc,m=ext",
        b"x,,n=user,r=abc",
        b"n,n=user,r=abc",
        b"n,,n=us\0er,r=abc",
        b"n,,n=user,r=abc" + b"c" * 5000,
    ],
)
def test_first_messages_that_are_none(first: bytes) -> None:
    assert isinstance(begin("SCRAM-SHA-256", UNBOUND, b"n").start(first), Failure)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"r=clientnonceservernonce", b"r=clientnonce"),
        (b"r=clientnonceservernonce", b"r=clientnonceservernonc3"),
        (b"c=biws", b"c=eSws"),
        (b"c=biws", b"c=biw"),
        (b",p=", b",q="),
        (b",p=", b",m=x,p="),
        (b",p=", b",p=AAAA,p="),
        (b",p=", b",p=AAAA"),
        (b",p=", b",p=="),
    ],
)
def test_final_messages_that_were_changed(old: bytes, new: bytes) -> None:
    client = Client()
    exchange = begin("SCRAM-SHA-256", UNBOUND, b"servernonce")
    exchange.start(client.first())
    challenge = exchange.supply(KEYS)
    assert isinstance(challenge, Challenge)
    final = client.final(challenge.octets)
    assert old in final
    step = exchange.respond(final.replace(old, new, 1))
    assert step == Proved("user", False) or isinstance(step, Failure)


def test_a_captured_proof_is_worth_nothing_with_another_nonce() -> None:
    client = Client()
    first, second = (begin("SCRAM-SHA-256", UNBOUND, nonce) for nonce in (b"one", b"two"))
    first.start(client.first())
    challenge = first.supply(KEYS)
    assert isinstance(challenge, Challenge)
    captured = client.final(challenge.octets)
    second.start(client.first())
    second.supply(KEYS)
    assert isinstance(second.respond(captured), Failure)
    assert first.respond(captured) == Proved("user", True)


def test_data_after_the_servers_proof() -> None:
    client = Client()
    exchange = begin("SCRAM-SHA-256", UNBOUND, b"servernonce")
    exchange.start(client.first())
    challenge = exchange.supply(KEYS)
    assert isinstance(challenge, Challenge)
    exchange.respond(client.final(challenge.octets))
    exchange.decide(True)
    assert isinstance(exchange.respond(b"more"), Failure)


@pytest.mark.parametrize("nonce", [b"", b"a,b", b"a b", b"\xff"])
def test_a_nonce_of_the_server_that_could_be_misread(nonce: bytes) -> None:
    with pytest.raises(ValueError, match="nonce"):
        begin("SCRAM-SHA-256", UNBOUND, nonce)


@pytest.mark.parametrize(
    ("key", "signed_with", "digest"),
    [
        (rsa.generate_private_key(65537, 2048), hashes.SHA256(), "sha256"),
        (rsa.generate_private_key(65537, 2048), hashes.SHA512(), "sha512"),
        (ec.generate_private_key(ec.SECP384R1()), hashes.SHA384(), "sha384"),
        (ed25519.Ed25519PrivateKey.generate(), None, "sha256"),
    ],
)
def test_the_end_point_of_a_certificate(key: Any, signed_with: hashes.HashAlgorithm | None, digest: str) -> None:
    name, start = x509.Name([]), datetime(2026, 4, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=1))
    der = builder.sign(key, signed_with).public_bytes(serialization.Encoding.DER)
    assert server_end_point(der) == hashlib.new(digest, der).digest()
