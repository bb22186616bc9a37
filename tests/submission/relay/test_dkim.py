"""Signatures, verified by dkimpy with the public keys in a zone."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.errors import UserError
from op25b.submission.relay.content import normalised
from op25b.submission.relay.dkim import Key, Signer, load_key
from op25b.submission.relay.transaction import Letter
from tests.submission.relay.peers import peer
from tests.submission.relay.world import CONTENT, world

ED = Ed25519PrivateKey.generate()
RSA = generate_rsa(65537, 2048)
KEYS = [Key("example.net", "ed1", ED), Key("example.net", "rsa1", RSA)]


def record(private: RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    public = private.public_key()
    if isinstance(private, RSAPrivateKey):
        form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public.public_bytes(*form))
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(raw)


ZONE = {
    b"ed1._domainkey.example.net.": record(ED),
    b"rsa1._domainkey.example.net.": record(RSA),
}


def verified(message: bytes, count: int = 2) -> bool:
    """Every one of `count` signatures is good."""
    checker = dkim.DKIM(message)
    lookup = lambda name, timeout=5: ZONE.get(name)  # noqa: E731
    try:
        return all(checker.verify(idx=index, dnsfunc=lookup) for index in range(count))
    except dkim.ValidationError:
        return False


def test_both_algorithms_verify() -> None:
    signed = Signer(KEYS).signatures(CONTENT, 1e9) + CONTENT
    assert signed.count(b"DKIM-Signature:") == 2
    assert b"a=rsa-sha256" in signed
    assert b"a=ed25519-sha256" in signed
    assert all(len(line) <= 78 for line in signed.split(b"\r\n")[:20])
    assert verified(signed)


@pytest.mark.parametrize(
    "changed",
    [
        (b"Hello.", b"hello."),
        (b"Subject: hello", b"Subject: bye"),
        (b"From: Alice", b"From: Eve"),
        (b"Subject: hello", b"Subject: hello\r\nFrom: Eve <eve@example.org>"),
        (b"Subject: hello", b"Reply-To: eve@example.org\r\nSubject: hello"),
    ],
)
def test_a_change_on_the_way_is_noticed(changed: tuple[bytes, bytes]) -> None:
    signed = Signer(KEYS).signatures(CONTENT, 1e9) + CONTENT
    assert not verified(signed.replace(*changed))


@pytest.mark.parametrize(
    "message",
    [
        b"From: a@example.net\r\n\r\n",
        b"From: a@example.net\r\n",
        b"From: a@example.net\r\n\r\n\r\n\r\n",
        b"From: a@example.net\r\n\r\nx  \t y \r\n \r\n\r\n",
        b"From: a@example.net\r\n\r\nx \t",
        b"FROM:\r\n a@example.net\r\nSubject:\r\n  fol\r\n\tded  \r\n\r\n..\r\n.\r\n",
        b"From: a@example.net\r\nTo: b\r\nTo: c\r\nReceived: x\r\n\r\nx\r\n",
        "From: \u5c71\u7530 <a@example.net>\r\nSubject: \u3053\u3093\r\n\r\n\u672c\u6587\r\n".encode(),
    ],
)
def test_odd_messages(message: bytes) -> None:
    message = normalised(message)
    assert verified(Signer(KEYS).signatures(message, 1e9) + message)


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b".", b"\xc3\xa9"]), max_size=30).map(b"".join))
@settings(max_examples=150)
def test_any_body(body: bytes) -> None:
    message = normalised(b"From: a@example.net\r\nSubject: x\r\n\r\n" + body)
    keys = [KEYS[0]]
    assert verified(Signer(keys).signatures(message, 1e9) + message, 1)


def test_the_domain_of_the_author_decides() -> None:
    signer = Signer(KEYS)
    for author, signs in (
        ("a@example.net", True),
        ("A <a@Example.NET>", True),
        ('"b@example.org" <a@sub.example.net>', True),
        ("x (b@example.org) <a@example.net>", True),
        ("a@example.org", False),
        ("a@notexample.net", False),
        ("a@net", False),
        ("nobody", False),
    ):
        message = f"From: {author}\r\n\r\nx\r\n".encode()
        assert bool(signer.signatures(message, 0)) is signs, author
    assert signer.signatures(b"Subject: no author\r\n\r\nx\r\n", 0) == b""


def test_a_new_selector_takes_over_when_its_time_has_come() -> None:
    signer = Signer([Key("example.net", "new", ED, since=1000.0), Key("example.net", "old", ED), KEYS[1]])
    assert {key.selector for key in signer.keys("example.net", 999.0)} == {"old", "rsa1"}
    assert {key.selector for key in signer.keys("example.net", 1000.0)} == {"new", "rsa1"}


def pem(private: object) -> bytes:
    return private.private_bytes(  # type: ignore[attr-defined,no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_keys_from_files(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    for private, algorithm in ((ED, "ed25519-sha256"), (RSA, "rsa-sha256")):
        path.write_bytes(pem(private))
        assert load_key(path, "Example.NET", "s").algorithm == algorithm
        assert load_key(path, "Example.NET", "s").domain == "example.net"


def test_bad_key_files(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(UserError, match=r"key\.pem.*No such file"):
        load_key(path, "example.net", "s")
    for content, words in (
        (b"nonsense", "not an unencrypted private key"),
        (pem(generate_private_key(SECP256R1())), "Ed25519, or RSA"),
        (pem(generate_rsa(65537, 1024)).replace(b"PRIVATE", b"PUBLIC"), "not an unencrypted private key"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=words):
            load_key(path, "example.net", "s")


def test_what_the_next_hop_gets_verifies(tmp_path: Path) -> None:
    """After dots were stuffed and unstuffed, on the way through a real server."""

    async def play() -> None:
        async with peer() as hop, world(tmp_path, smart_host=hop.hop, signer=Signer(KEYS)) as here:
            await here.submit("bob@example.com", content=CONTENT + b"<p>one</p> " * 2000 + b"no line end")
            await here.run()
            [got] = hop.contents("bob@example.com")
            assert got.endswith(b"no line end\r\n")
            assert max(map(len, got.split(b"\r\n"))) <= 998
            assert verified(got)

    asyncio.run(play())


def test_lines_of_binarymime_stay_as_they_are(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            await here.submit("bob@example.com", content=b"A: b\r\n\r\n" + b"x" * 2000 + b"\r\n", body="BINARYMIME")
            [message] = here.waiting()
            letter = here.relay._letter(message)
            assert isinstance(letter, Letter)
            assert letter.content == message.read()

    asyncio.run(play())
